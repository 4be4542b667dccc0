using System.Text;
using System.Text.RegularExpressions;

namespace Uniscale.Corpus.Reading.Texts;

/// <summary>
/// The readable text of a manual page (roff with the man or mdoc macros): requests go, headings and paragraphs become lines.
/// </summary>
public static partial class ManualText
{
    private static readonly HashSet<string> Headings = ["SH", "Sh", "SS", "Ss"];

    private static readonly HashSet<string> Breaks = ["PP", "P", "LP", "Pp", "TP", "IP", "It", "sp", "br", "HP"];

    private static readonly HashSet<string> Ignored =
    [
        "\\\"",
        "TH",
        "Dd",
        "Dt",
        "Os",
        "so",
        "de",
        "if",
        "ie",
        "el",
        "nr",
        "ds",
        "ft",
        "ad",
        "hy",
        "na",
        "ne",
        "in",
        "ta",
        "rr",
        "tr",
        "rm",
        "am",
        "als",
        "mso",
        // requests of roff whose arguments are numbers, names and settings
        "ss",
        "ps",
        "vs",
        "ls",
        "ll",
        "lt",
        "pl",
        "po",
        "ti",
        "nh",
        "hw",
        "hc",
        "hla",
        "hlm",
        "hym",
        "hys",
        "hpf",
        "hcode",
        "ce",
        "rj",
        "cu",
        "ul",
        "bp",
        "ns",
        "rs",
        "rt",
        "sv",
        "os",
        "mk",
        "di",
        "da",
        "box",
        "boxa",
        "ev",
        "evc",
        "fam",
        "fp",
        "fspecial",
        "special",
        "cs",
        "bd",
        "lg",
        "kern",
        "tkf",
        "uf",
        "cc",
        "c2",
        "ec",
        "eo",
        "ecs",
        "ecr",
        "pn",
        "pm",
        "pc",
        "tl",
        "wh",
        "ch",
        "dt",
        "it",
        "itc",
        "em",
        "af",
        "rnn",
        "aln",
        "rn",
        "as",
        "as1",
        "ds1",
        "chop",
        "substring",
        "length",
        "lf",
        "nop",
        "while",
        "break",
        "continue",
        "return",
        "shift",
        "tm",
        "tm1",
        "tmc",
        "ab",
        "ex",
        "rd",
        "nx",
        "cf",
        "trf",
        "sy",
        "pi",
        "open",
        "opena",
        "close",
        "write",
        "writec",
        "writem",
        "warn",
        "warnscale",
        "spreadwarn",
        "do",
        "cp",
        "mc",
        "lc",
        "tc",
        "nn",
        "nm",
        "char",
        "fchar",
        "schar",
        "rchar",
        "class",
        "cflags",
        "color",
        "gcolor",
        "fcolor",
        "defcolor",
        "device",
        "devicem",
        "psbb",
        "linetabs",
        "shc",
        "sizes",
        "vpt",
        "blm",
        "lsm",
        "asciify",
        "unformat",
        "trin",
        "trnt",
        "hylang",
    ];

    /// <summary>Requests that begin what is no text: macros, and what is ignored.</summary>
    private static readonly HashSet<string> Definitions = ["de", "de1", "dei", "dei1", "am", "am1", "ami", "ami1", "ig"];

    /// <summary>True for text that looks like a manual page's source.</summary>
    public static bool IsManual(string text) => MacroAtStart().IsMatch(text.Length > 4000 ? text[..4000] : text);

    /// <summary>The text, paragraphs separated by an empty line.</summary>
    public static string Extract(string roff)
    {
        var text = new StringBuilder(roff.Length);
        bool paragraph = false,
            verbatim = false;
        string? definition = null; // the line that ends it
        foreach (string raw in roff.Split('\n'))
        {
            string line = raw.TrimEnd('\r');
            if (definition is not null)
            {
                definition = line.Replace(" ", "", StringComparison.Ordinal).TrimEnd() == definition ? null : definition; // the body of a macro
                continue;
            }
            if (line.Length > 0 && line[0] is '.' or '\'')
            {
                string[] words = line[1..].Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries);
                string request = words.Length > 0 ? words[0] : "",
                    rest = words.Length > 1 ? Unescape(Unquote(words[1])) : "";
                if (Definitions.Contains(request))
                {
                    string[] names = rest.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
                    string? end = names.ElementAtOrDefault(request == "ig" ? 0 : 1);
                    definition = $".{(end is null || end.StartsWith('\\') || end.StartsWith('"') ? "." : end)}";
                    continue;
                }
                verbatim = request is "nf" or "EX" or "Bd" || (verbatim && request is not ("fi" or "EE" or "Ed"));
                if (Headings.Contains(request))
                {
                    Append(text, rest, "\n\n");
                    paragraph = true;
                    continue;
                }
                paragraph |= Breaks.Contains(request);
                if (Ignored.Contains(request) || request.StartsWith("\\\"", StringComparison.Ordinal) || rest.Length == 0)
                    continue;
                line = rest;
            }
            else
            {
                line = Unescape(line);
            }
            if (line.Trim().Length == 0)
            {
                paragraph = true;
                continue;
            }
            Append(
                text,
                verbatim ? line : line.Trim(),
                paragraph ? "\n\n"
                    : verbatim ? "\n"
                    : " "
            );
            paragraph = false;
        }
        return text.ToString();
    }

    private static void Append(StringBuilder text, string line, string separator)
    {
        if (text.Length > 0)
            text.Append(separator);
        text.Append(line);
    }

    private static string Unquote(string arguments) =>
        arguments.Replace("\"\"", "\u0001", StringComparison.Ordinal).Replace("\"", "", StringComparison.Ordinal).Replace('\u0001', '"');

    private static string Unescape(string line)
    {
        if (!line.Contains('\\', StringComparison.Ordinal))
            return line;
        line = line.Replace("\\-", "-", StringComparison.Ordinal)
            .Replace("\\e", "\u0002", StringComparison.Ordinal)
            .Replace("\\\\", "\u0002", StringComparison.Ordinal)
            .Replace("\\(bu", "•", StringComparison.Ordinal)
            .Replace("\\(aq", "'", StringComparison.Ordinal)
            .Replace("\\(dq", "\"", StringComparison.Ordinal)
            .Replace("\\(em", "—", StringComparison.Ordinal)
            .Replace("\\(en", "–", StringComparison.Ordinal)
            .Replace("\\(lq", "“", StringComparison.Ordinal)
            .Replace("\\(rq", "”", StringComparison.Ordinal)
            .Replace("\\ ", " ", StringComparison.Ordinal)
            .Replace("\\~", " ", StringComparison.Ordinal)
            .Replace("\\0", " ", StringComparison.Ordinal);
        return Escapes().Replace(line, "").Replace('\u0002', '\\');
    }

    [GeneratedRegex("^[.'](\\\\\"|(TH|Dd|SH|Sh|SS|Ss|so|de1?|ss|ds|nr|ig|hy|nh|ad|mso) )", RegexOptions.Multiline)]
    private static partial Regex MacroAtStart();

    // fonts, sizes, comments, strings, characters by name, zero-width marks
    [GeneratedRegex("\\\\(\".*$|f(\\[[^\\]]*\\]|\\(..|.)|s[-+]?\\d+|\\*(\\[[^\\]]*\\]|\\(..|.)|\\[[^\\]]*\\]|\\(..|[&|^/,:%c'`.])")]
    private static partial Regex Escapes();
}
