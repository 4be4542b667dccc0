using System.Net;
using System.Text;

namespace Uniscale.Corpus.Reading.Encyclopedias;

/// <summary>Takes comments and tags out of wikitext: of some the contents too, of some the contents are kept as they stand.</summary>
internal static class WikiTags
{
    private static readonly HashSet<string> Dropped = new(StringComparer.OrdinalIgnoreCase)
    {
        "ref",
        "references",
        "gallery",
        "timeline",
        "imagemap",
        "score",
        "templatedata",
        "templatestyles",
        "hiero",
        "graph",
        "mapframe",
        "maplink",
        "inputbox",
        "categorytree",
        "indicator",
        "phonos",
        "script",
        "style",
    };

    private static readonly HashSet<string> Literal = new(StringComparer.OrdinalIgnoreCase)
    {
        "nowiki",
        "pre",
        "syntaxhighlight",
        "source",
        "math",
        "chem",
        "ce",
    };

    private static readonly HashSet<string> Lines = new(StringComparer.OrdinalIgnoreCase)
    {
        "br",
        "p",
        "div",
        "blockquote",
        "li",
        "ul",
        "ol",
        "tr",
        "table",
        "center",
        "hr",
        "poem",
        "pre",
        "syntaxhighlight",
        "source",
    };

    /// <summary>The text without tags.</summary>
    /// <param name="text">Wikitext.</param>
    /// <param name="keep">Takes a stretch that is no wikitext and gives what stands for it.</param>
    public static string Remove(string text, Func<string, string> keep)
    {
        var kept = new StringBuilder(text.Length);
        var unclosed = new HashSet<string>(StringComparer.OrdinalIgnoreCase); // looked for once, not at each of their tags
        int at = 0;
        while (text.IndexOf('<', at) is >= 0 and var tag)
        {
            kept.Append(text, at, tag - at);
            at = Tag(text, tag, kept, keep, unclosed);
        }
        return kept.Append(text, at, text.Length - at).ToString();
    }

    private static int Tag(string text, int tag, StringBuilder kept, Func<string, string> keep, HashSet<string> unclosed)
    {
        if (string.CompareOrdinal(text, tag, "<!--", 0, 4) == 0)
            return Behind(text, text.IndexOf("-->", tag + 4, StringComparison.Ordinal), 3);
        int name = tag + 1,
            nameEnd;
        bool isClosing = name < text.Length && text[name] == '/';
        name += isClosing ? 1 : 0;
        for (nameEnd = name; nameEnd < text.Length && char.IsAsciiLetterOrDigit(text[nameEnd]); nameEnd++) { }
        int end = nameEnd + text.AsSpan(nameEnd).IndexOfAny('<', '>');
        if (nameEnd == name || end < nameEnd || text[end] == '<' || !char.IsAsciiLetter(text[name]))
        {
            kept.Append('<'); // "a < b" is text
            return tag + 1;
        }
        string element = text[name..nameEnd];
        bool hasContents = !isClosing && text[end - 1] != '/';
        if (Lines.Contains(element))
            kept.Append('\n');
        if (!hasContents || unclosed.Contains(element) || !(Dropped.Contains(element) || Literal.Contains(element)))
            return end + 1;
        int close = text.IndexOf("</" + element, end, StringComparison.OrdinalIgnoreCase);
        if (close < 0)
        {
            unclosed.Add(element);
            return end + 1;
        }
        if (Literal.Contains(element))
        {
            string contents = text[(end + 1)..close];
            kept.Append(
                keep(
                    element.Equals("nowiki", StringComparison.OrdinalIgnoreCase)
                    || element.Equals("pre", StringComparison.OrdinalIgnoreCase)
                        ? WebUtility.HtmlDecode(contents)
                        : contents.Trim('\n')
                )
            );
            if (Lines.Contains(element))
                kept.Append('\n');
        }
        return Behind(text, text.IndexOf('>', close), 1);
    }

    private static int Behind(string text, int found, int length) => found < 0 ? text.Length : found + length;
}
