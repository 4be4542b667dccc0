using System.Net;
using System.Text;

namespace Uniscale.Corpus.Reading.Texts;

/// <summary>
/// The readable text of HTML, XHTML and documentation XML, in one pass without a tree: tags go, block elements become line ends, entities
/// become
/// characters, scripts, styles and navigation are left out, preformatted text keeps its spaces.
/// </summary>
public static class MarkupText
{
    private static readonly HashSet<string> Blocks = new(StringComparer.OrdinalIgnoreCase)
    {
        "p",
        "div",
        "br",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "tr",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "pre",
        "blockquote",
        "section",
        "article",
        "title",
        "caption",
        "figure",
        "paragraph",
        "para",
        "listitem",
        "bookmark",
        "item",
        "desc",
        "note",
        "th",
        "main",
        "body",
        "page",
        "terms",
    };

    private static readonly HashSet<string> Paragraphs = new(StringComparer.OrdinalIgnoreCase)
    {
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "table",
        "pre",
        "blockquote",
        "section",
        "article",
        "title",
        "paragraph",
        "para",
        "ul",
        "ol",
        "dl",
    };

    private static readonly HashSet<string> LeftOut = new(StringComparer.OrdinalIgnoreCase)
    {
        "script",
        "style",
        "nav",
        "noscript",
        "svg",
        "head",
        "header",
        "footer",
        "template",
        "info",
        "select",
        "button",
        "textarea",
        "datalist",
    };

    /// <summary>Elements whose text stays within a page's header: its title.</summary>
    private static readonly HashSet<string> Titles = new(StringComparer.OrdinalIgnoreCase) { "h1", "h2" };

    private static readonly HashSet<string> Preformatted = new(StringComparer.OrdinalIgnoreCase)
    {
        "pre",
        "screen",
        "code-block",
        "programlisting",
    };

    /// <summary>The text, paragraphs separated by an empty line.</summary>
    public static string Extract(string markup)
    {
        var reader = new Reader(markup);
        return reader.Run();
    }

    private sealed class Reader(string markup)
    {
        private readonly StringBuilder _text = new(markup.Length / 2);
        private string? _leftOut;
        private int _leftOutDepth;
        private int _headerDepth; // of the header that a title stands in
        private int _preformatted;
        private bool _spacePending;

        public string Run()
        {
            int at = 0;
            while (at < markup.Length)
            {
                int tag = markup.IndexOf('<', at);
                int end = tag < 0 ? markup.Length : tag;
                if (_leftOut is null && end > at)
                    AddText(markup.AsSpan(at, end - at));
                if (tag < 0)
                    break;
                at = SkipTag(tag);
            }
            return Tidy();
        }

        /// <summary>Handles what begins at '&lt;' and returns the place after it.</summary>
        private int SkipTag(int tag)
        {
            if (string.CompareOrdinal(markup, tag, "<!--", 0, 4) == 0)
                return After(markup.IndexOf("-->", tag, StringComparison.Ordinal), 3);
            if (string.CompareOrdinal(markup, tag, "<![CDATA[", 0, 9) == 0)
            {
                int close = After(markup.IndexOf("]]>", tag, StringComparison.Ordinal), 0);
                if (_leftOut is null)
                    AddRaw(markup.AsSpan(tag + 9, Math.Max(0, close - tag - 9)));
                return Math.Min(markup.Length, close + 3);
            }
            int name = tag + 1;
            bool closing = name < markup.Length && markup[name] == '/';
            if (closing)
                name++;
            if (name >= markup.Length || !(char.IsAsciiLetter(markup[name]) || markup[name] is '!' or '?'))
            {
                if (_leftOut is null)
                    AddText("<");
                return tag + 1; // a bare "<" is text
            }
            int end = EndOfTag(name);
            int nameEnd = name;
            while (nameEnd < end && (char.IsAsciiLetterOrDigit(markup[nameEnd]) || markup[nameEnd] == '-'))
                nameEnd++;
            Element(markup[name..nameEnd], closing, selfClosed: end > 0 && end - 1 < markup.Length && markup[end - 1] == '/');
            int after = Math.Min(markup.Length, end + 1);
            return _leftOut is "script" or "style"
                ? After(markup.IndexOf("</" + _leftOut, after, StringComparison.OrdinalIgnoreCase), 0)
                : after;
        }

        private int After(int found, int length) => found < 0 ? markup.Length : found + length;

        /// <summary>The place of the tag's '&gt;', outside quoted values.</summary>
        private int EndOfTag(int at)
        {
            char quote = '\0';
            for (; at < markup.Length; at++)
            {
                char c = markup[at];
                if (quote != '\0')
                    quote = c == quote ? '\0' : quote;
                else if (c is '"' or '\'' && markup[at - 1] == '=')
                    quote = c;
                else if (c == '>')
                    break;
            }
            return at;
        }

        private void Element(string name, bool closing, bool selfClosed)
        {
            if (_leftOut == "head" && name.Equals("body", StringComparison.OrdinalIgnoreCase))
                _leftOut = null; // a head need not be closed
            if (_leftOut == "header" && !closing && Titles.Contains(name))
            {
                (_leftOut, _headerDepth) = (null, _leftOutDepth); // until the title ends
            }
            else if (_headerDepth > 0 && closing && Titles.Contains(name))
            {
                Break(2);
                (_leftOut, _leftOutDepth, _headerDepth) = ("header", _headerDepth, 0);
            }
            if (_leftOut is not null)
            {
                if (name.Equals(_leftOut, StringComparison.OrdinalIgnoreCase) && !selfClosed)
                    _leftOutDepth += closing ? -1 : 1;
                if (_leftOutDepth == 0)
                    _leftOut = null;
                return;
            }
            if (LeftOut.Contains(name))
            {
                if (!closing && !selfClosed)
                    (_leftOut, _leftOutDepth) = (name.ToLowerInvariant(), 1);
                return;
            }
            if (Preformatted.Contains(name))
                _preformatted = Math.Max(0, _preformatted + (closing ? -1 : 1));
            if (Blocks.Contains(name) || Preformatted.Contains(name))
                Break(Paragraphs.Contains(name) || Preformatted.Contains(name) ? 2 : 1);
            else if (name.Equals("td", StringComparison.OrdinalIgnoreCase))
                _spacePending = true;
        }

        private void Break(int lines)
        {
            _spacePending = false;
            int held = 0;
            while (held < _text.Length && held < 2 && _text[^(held + 1)] == '\n')
                held++;
            if (_text.Length > 0)
                _text.Append('\n', Math.Max(0, lines - held));
        }

        private void AddText(ReadOnlySpan<char> raw)
        {
            if (raw.Contains('&'))
                raw = WebUtility.HtmlDecode(raw.ToString());
            AddRaw(raw);
        }

        private void AddRaw(ReadOnlySpan<char> raw)
        {
            if (_preformatted > 0)
            {
                _text.Append(raw);
                return;
            }
            foreach (char c in raw)
            {
                if (c is ' ' or '\t' or '\n' or '\r' or '\f' or '\u00A0') // what HTML takes for space, and the space that does not break
                {
                    _spacePending = true;
                    continue;
                }
                if (_spacePending && _text.Length > 0 && _text[^1] != '\n')
                    _text.Append(' ');
                _spacePending = false;
                _text.Append(c);
            }
        }

        /// <summary>Removes spaces at line ends and more than one empty line in a row.</summary>
        private string Tidy()
        {
            var tidy = new StringBuilder(_text.Length);
            int empty = 0;
            ReadOnlySpan<char> text = _text.ToString();
            foreach (var line in text.Split('\n'))
            {
                var kept = text[line].TrimEnd(" \t\r\f\u00A0");
                if (kept.IsEmpty)
                {
                    empty++;
                    continue;
                }
                if (tidy.Length > 0)
                    tidy.Append('\n', empty > 0 ? 2 : 1);
                tidy.Append(kept);
                empty = 0;
            }
            return tidy.ToString();
        }
    }
}
