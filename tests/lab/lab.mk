# A real Xen under an emulator makes and restores checkpoints: tests/lab/README.
.PHONY: lab lab-check

lab lab-check: deps-build deps-lab
	$(Q)$(MAKE) --no-print-directory D=opt all
	$(Q)python3 tests/lab/lab.py run ./xbdsnap $(if $(filter lab-check,$@),--check,$(or $(VARIANT),--all))
