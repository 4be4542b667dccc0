using System.Buffers;
using System.Net;
using System.Text;

namespace Uniscale.Corpus.Reading.Encyclopedias;

/// <summary>
/// The words of a page in wikitext (mediawiki.org, Help:Formatting, Help:Links, Help:Tables): templates, tables, files, references, magic
/// words and links to other languages go; links become
/// their words; headings and lists stay, as lines.
/// </summary>
internal sealed class Wikitext
{
    private const int MostNested = 24;

    /// <summary>Stands around the number of a stretch that is put in at the end; XML cannot hold it.</summary>
    private const char Literal = '\uFFFF';

    private static readonly SearchValues<char> Special = SearchValues.Create("<{[_'-");

    private readonly WikiSite _site;
    private readonly List<string> _literals = [];
    private readonly StringBuilder _words = new();

    private Wikitext(WikiSite site) => _site = site;

    /// <summary>The words, paragraphs set apart by an empty line.</summary>
    /// <param name="page">The page's wikitext.</param>
    /// <param name="site">The wiki.</param>
    public static string Extract(string page, WikiSite site)
    {
        var reader = new Wikitext(site);
        string plain = WikiTags.Remove(page, reader.Keep);
        reader.Inline(plain, 0);
        string decoded = WebUtility.HtmlDecode(reader._words.ToString()).Replace('\u00A0', ' ');
        return reader.PutIn(WikiLines.Tidy(decoded));
    }

    private string Keep(string literal)
    {
        _literals.Add(literal);
        return $"{Literal}{_literals.Count - 1}{Literal}";
    }

    private string PutIn(string text)
    {
        if (_literals.Count == 0)
            return text;
        var whole = new StringBuilder(text.Length);
        string[] parts = text.Split(Literal);
        for (int i = 0; i < parts.Length; i++)
            whole.Append(i % 2 == 0 ? parts[i] : _literals[int.Parse(parts[i], System.Globalization.CultureInfo.InvariantCulture)]);
        return whole.ToString();
    }

    /// <summary>Appends the words of a stretch.</summary>
    private void Inline(string text, int depth)
    {
        if (depth > MostNested)
        {
            _words.Append(text);
            return;
        }
        var brackets = new WikiBrackets(text);
        for (int at = 0; at < text.Length;)
        {
            int next = text.AsSpan(at).IndexOfAny(Special);
            int plain = next < 0 ? text.Length : at + next;
            _words.Append(text, at, plain - at);
            at = plain < text.Length ? Markup(text, plain, brackets, depth) : plain;
        }
    }

    /// <summary>What begins at a special character; gives the place behind it.</summary>
    private int Markup(string text, int at, WikiBrackets brackets, int depth)
    {
        var rest = text.AsSpan(at);
        int end = brackets.EndOf(at);
        if (rest[0] == '{' && end > 0)
            return end < text.Length && text[end] == '}' && rest.StartsWith("{{{") ? end + 1 : end; // a template, a parameter, a table
        if (rest.StartsWith("[[") && end > 0)
        {
            Link(text[(at + 2)..(end - 2)], depth);
            return end;
        }
        if (rest[0] == '[' && ExternalLink(text, at, depth) is > 0 and var behind)
            return behind;
        if (rest.StartsWith("''"))
            return at + Quotes(rest);
        if (rest.StartsWith("__") && MagicWord(rest) is > 0 and var length)
            return at + length;
        if (rest.StartsWith("-{") && brackets.EndOfVariant(at) is > 0 and var close)
        {
            Inline(Variant(text[(at + 2)..close]), depth + 1);
            return close + 2;
        }
        _words.Append(rest[0]);
        return at + 1;
    }

    private void Link(string inner, int depth)
    {
        int bar = inner.IndexOf('|', StringComparison.Ordinal);
        string target = (bar < 0 ? inner : inner[..bar]).Trim();
        bool isShown = target.StartsWith(':');
        target = isShown ? target[1..] : target;
        int colon = target.IndexOf(':', StringComparison.Ordinal);
        if (!isShown && colon > 0 && _site.IsSilent(target.AsSpan(0, colon)))
            return;
        string label = bar < 0 ? target : inner[(bar + 1)..];
        Inline(label.Length > 0 ? label : WithoutContext(target), depth + 1);
    }

    /// <summary>What a link with an empty label shows: the name without namespace, brackets and what follows a comma.</summary>
    private static string WithoutContext(string target)
    {
        target = target[(target.IndexOf(':', StringComparison.Ordinal) + 1)..];
        int bracket = target.IndexOf(" (", StringComparison.Ordinal),
            comma = target.IndexOf(", ", StringComparison.Ordinal);
        return bracket > 0 ? target[..bracket]
            : comma > 0 ? target[..comma]
            : target;
    }

    /// <summary>[address words] becomes its words.</summary>
    private int ExternalLink(string text, int at, int depth)
    {
        var address = text.AsSpan(at + 1);
        if (
            !(
                address.StartsWith("http", StringComparison.OrdinalIgnoreCase)
                || address.StartsWith("//")
                || address.StartsWith("ftp:")
                || address.StartsWith("mailto:")
            )
        )
            return 0;
        int line = address.IndexOf('\n'),
            close = address.IndexOf(']');
        if (close < 0 || (line >= 0 && line < close))
            return 0;
        int space = address[..close].IndexOf(' ');
        if (space >= 0)
            Inline(text.Substring(at + 1 + space + 1, close - space - 1).Trim(), depth + 1);
        return at + 1 + close + 1;
    }

    /// <summary>Two quotes are italics, three bold, five both; what is more is text.</summary>
    private int Quotes(ReadOnlySpan<char> rest)
    {
        int count = rest.IndexOfAnyExcept('\'') is >= 0 and var end ? end : rest.Length;
        _words.Append('\'', count == 4 ? 1 : Math.Max(0, count - 5));
        return count;
    }

    private static int MagicWord(ReadOnlySpan<char> rest)
    {
        int end = rest[2..].IndexOf("__");
        if (end is < 2 or > 40)
            return 0;
        foreach (char c in rest.Slice(2, end))
            if (!char.IsLetter(c) || char.IsLower(c))
                return 0;
        return end + 4;
    }

    /// <summary>
    /// Of words in several scripts of a language (-{zh-hans:A; zh-hant:B}-) the first; flags and rules that show nothing go.
    /// </summary>
    private static string Variant(string inner)
    {
        int bar = inner.IndexOf('|', StringComparison.Ordinal);
        string flags = bar < 0 ? "" : inner[..bar].Trim(),
            rules = inner[(bar + 1)..];
        if (
            flags.Contains('H', StringComparison.Ordinal)
            || flags.Contains('T', StringComparison.Ordinal)
            || flags.Contains('-', StringComparison.Ordinal)
        )
            return "";
        string first = rules.Split(';')[0];
        int colon = first.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && first.AsSpan(0, colon).Trim().StartsWith("zh", StringComparison.OrdinalIgnoreCase)
            ? first[(colon + 1)..].Trim()
            : rules;
    }
}
