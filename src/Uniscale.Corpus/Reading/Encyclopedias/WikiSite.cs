using System.Buffers;

namespace Uniscale.Corpus.Reading.Encyclopedias;

/// <summary>What a wiki's dump says of itself: its language, and how it names its namespaces.</summary>
internal sealed class WikiSite
{
    private const int FileNamespace = 6,
        CategoryNamespace = 14,
        MediaNamespace = -2;

    /// <summary>Codes that look like a language's and are another site's.</summary>
    private static readonly HashSet<string> Sites = new(StringComparer.OrdinalIgnoreCase) { "doi", "rfc", "url", "cve", "viaf", "hdl" };

    private static readonly SearchValues<char> LettersAndDash = SearchValues.Create("-abcdefghijklmnopqrstuvwxyz");

    private readonly HashSet<string> _namespaces = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _silent = new(StringComparer.OrdinalIgnoreCase) { "File", "Image", "Category", "Media" };

    public string? Language { get; set; }

    /// <summary>A namespace by its number and name.</summary>
    public void Add(int number, string name)
    {
        if (name.Length == 0)
            return;
        _namespaces.Add(name);
        if (number is FileNamespace or CategoryNamespace or MediaNamespace)
            _silent.Add(name);
    }

    /// <summary>True where a link with this prefix shows no words: a picture, a category, the same page in another language.</summary>
    public bool IsSilent(ReadOnlySpan<char> prefix)
    {
        string name = prefix.Trim().ToString().Replace('_', ' ');
        return _silent.Contains(name) || (!_namespaces.Contains(name) && IsLanguage(name));
    }

    private static bool IsLanguage(string name)
    {
        int end = name.IndexOf('-', StringComparison.Ordinal);
        var first = end < 0 ? name : name.AsSpan(0, end);
        return first.Length is 2 or 3
            && first.IndexOfAnyExceptInRange('a', 'z') < 0
            && !Sites.Contains(name)
            && !name.AsSpan(first.Length).ContainsAnyExcept(LettersAndDash);
    }
}
