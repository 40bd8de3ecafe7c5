/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/html.h"

#include <string.h>

/* Colours by role, in both themes: they are told apart by lightness too, and print well. */
static const char style[] =
	":root{--bg:#fff;--fg:#1c2330;--dim:#5c6675;--line:#d5dae2;--box:#f5f7fa;"
	"--read:#2f6fb5;--write:#d9731a;--flush:#7b4bb3;--discard:#8a8f98;--other:#b0305f;"
	"--error:#b3261e;--warning:#9a6700;--note:#4a6785;--ok:#1b7f4b;--free:#e3e7ed}\n"
	"@media screen and "
	"(prefers-color-scheme:dark){:root{--bg:#14181f;--fg:#e4e8ee;--dim:#9aa4b2;"
	"--line:#333b47;--box:#1c222b;--read:#6aa9ee;--write:#f0a45c;--flush:#b594ea;"
	"--discard:#9aa1ab;--other:#ef7fa5;--error:#ff8a80;--warning:#e6b450;--note:#9dbad8;"
	"--ok:#6fce9c;--free:#2b323c}}\n"
	"*{box-sizing:border-box}"
	"body{margin:0 auto;max-width:76rem;padding:1.5rem;background:var(--bg);color:var(--fg);"
	"font:15px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.5rem;overflow-wrap:anywhere;margin:0 0 .5rem}"
	"h2{font-size:1.2rem;margin:2rem 0 .6rem;border-bottom:1px solid var(--line)}"
	"h3{font-size:1rem;margin:1.2rem 0 .4rem}"
	"code,pre,td.n{font-family:ui-monospace,monospace;font-size:.87rem}"
	"pre{overflow-x:auto;background:var(--box);padding:.6rem;margin:.3rem 0}\n"
	".wide{overflow-x:auto}"
	"table{border-collapse:collapse}"
	"th,td{text-align:left;padding:.2rem .7rem .2rem 0;vertical-align:top;"
	"border-bottom:1px solid var(--line)}"
	"th{color:var(--dim);font-weight:500;white-space:nowrap}"
	"td{overflow-wrap:anywhere}td.n{text-align:right;white-space:nowrap}"
	".wide td{overflow-wrap:break-word;max-width:24rem}\n"
	".verdict{display:inline-block;padding:.25rem .9rem;border:2px solid;border-radius:.4rem;"
	"font-weight:700;font-size:1.1rem}"
	".safe{color:var(--ok)}.unsafe,.corrupt,.error{color:var(--error)}"
	".warnings,.undetermined,.warning{color:var(--warning)}.note{color:var(--note)}\n"
	".finding{border-left:4px solid;padding:.1rem .8rem;margin:.6rem 0}"
	".finding p{color:var(--fg);margin:.2rem 0}.dim{color:var(--dim)}\n"
	"svg{max-width:100%;height:auto}svg text{fill:var(--fg);font:11px system-ui,sans-serif}"
	".read{fill:var(--read)}.write{fill:var(--write)}.flush{fill:var(--flush)}"
	".discard{fill:var(--discard)}.other{fill:var(--other)}.free{fill:var(--free)}"
	".queued{fill-opacity:.55}.frame{fill:none;stroke:var(--line)}"
	".mark{stroke:var(--fg);stroke-width:1.5}.overlap{fill:var(--error)}\n"
	"span.key{display:inline-block;margin-right:1rem}"
	"span.key svg{width:.8rem;height:.8rem;vertical-align:-.1rem;margin-right:.3rem}\n"
	/* Wide tables need the sheet's long side; behind all else, which it overrides. */
	"@media print{@page{size:landscape;margin:12mm}:root{--bg:#fff;--fg:#000;--box:#fff}"
	"body{max-width:none;padding:0;font-size:11px}.wide{overflow:visible}"
	".wide td,.wide th{font-size:9px;padding:.1rem .5rem .1rem 0}"
	"tr,svg,.finding{break-inside:avoid}h2,h3{break-after:avoid}}\n";

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_text(FILE *out, const char *text)
{
	CLEANUP_FREE char *safe = text ? cmd_safe_text(text, strlen(text)) : strdup("-");
	const char *p;

	for (p = safe; p && *p; p++)
		if (entity_of(*p))
			fputs(entity_of(*p), out);
		else
			fputc(*p, out);
}

void html_printf(FILE *out, const char *fmt, ...)
{
	CLEANUP_FREE char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	html_text(out, text);
}

void html_begin(FILE *out, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
		out);
	html_text(out, title);
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
}

void html_end(FILE *out)
{
	fputs("</body>\n</html>\n", out);
}

void html_fact(FILE *out, const char *name, const char *value)
{
	fputs("<tr><th>", out);
	html_text(out, name);
	fputs("</th><td>", out);
	html_text(out, value && *value ? value : "unknown");
	fputs("</td></tr>\n", out);
}

const char *html_op_class(enum io_op op)
{
	switch (op) {
	case IO_READ:
		return "read";
	case IO_WRITE:
	case IO_BARRIER:
		return "write";
	case IO_FLUSH:
		return "flush";
	case IO_DISCARD:
		return "discard";
	default:
		return "other";
	}
}
