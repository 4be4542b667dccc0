using System.Buffers;
using System.Globalization;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Bounds of length.</summary>
internal sealed class LengthRule(LengthSection settings) : IDocumentRule
{
    public bool Keeps(CleaningDocument document)
    {
        int characters = document.Text.Length;
        if (characters < settings.MinCharacters || (settings.MaxCharacters > 0 && characters > settings.MaxCharacters))
            return false;
        if (document.Bytes < settings.MinBytes || (settings.MaxBytes > 0 && document.Bytes > settings.MaxBytes))
            return false;
        if (settings is { MinWords: 0, MaxMeanWord: 0 })
            return true;
        var words = document.Words;
        if (words.Length < settings.MinWords)
            return false;
        long letters = 0;
        foreach (var word in words)
            letters += word.Length;
        return settings.MaxMeanWord == 0 || letters <= settings.MaxMeanWord * words.Length;
    }
}

/// <summary>Bound of the share of symbols.</summary>
internal sealed class SymbolsRule(SymbolsSection settings) : IDocumentRule
{
    private static readonly SearchValues<char> Punctuation = SearchValues.Create(".,;:!?'\"()[]-/");

    public bool Keeps(CleaningDocument document)
    {
        long symbols = 0,
            characters = 0;
        string text = document.Text;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsWhiteSpace(c))
                continue;
            bool? isSymbol =
                c < 0x80
                    ? !char.IsAsciiLetterOrDigit(c) && !Punctuation.Contains(c)
                    : IsSymbol(CharUnicodeInfo.GetUnicodeCategory(text, i));
            i += char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]) ? 1 : 0;
            if (isSymbol is not { } counts)
                continue;
            characters++;
            symbols += counts ? 1 : 0;
        }
        return symbols <= settings.Max * characters;
    }

    /// <summary>
    /// Letters with the marks that belong to them, numbers and the punctuation of all scripts are none; null: what is not seen, as joiners.
    /// </summary>
    private static bool? IsSymbol(UnicodeCategory category) =>
        category switch
        {
            <= UnicodeCategory.OtherNumber => false, // letters, marks, numbers
            >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation => false,
            UnicodeCategory.Format => null,
            _ => true,
        };
}

/// <summary>Bound of the share of digits.</summary>
internal sealed class DigitsRule(DigitsSection settings) : IDocumentRule
{
    public bool Keeps(CleaningDocument document)
    {
        long digits = 0,
            characters = 0;
        foreach (char c in document.Text)
        {
            characters += char.IsWhiteSpace(c) ? 0 : 1;
            digits += char.IsDigit(c) ? 1 : 0;
        }
        return digits <= settings.Max * characters;
    }
}

/// <summary>Bound of wrongly decoded text.</summary>
internal sealed class MojibakeRule(MojibakeSection settings) : IDocumentRule
{
    /// <summary>
    /// U+FFFD, C1 controls, the first letters of UTF-8 sequences read as Latin-1, and what U+FFFD in UTF-8 becomes in GBK.
    /// </summary>
    private static readonly SearchValues<char> Suspects = SearchValues.Create([
        .. Enumerable.Range(0x80, 0x20).Select(c => (char)c).Where(c => c != '\u0085'),
        'Â',
        'Ã',
        'â',
        'ï',
        '锟',
        '\uFFFD',
    ]);

    public bool Keeps(CleaningDocument document)
    {
        ReadOnlySpan<char> text = document.Text;
        double allowed = settings.Max * text.Length;
        for (long broken = 0; ;)
        {
            int next = text.IndexOfAny(Suspects);
            if (next < 0)
                return true;
            text = text[next..];
            int length = BrokenLength(text);
            broken += length;
            if (broken > allowed)
                return false;
            text = text[Math.Max(1, length)..];
        }
    }

    /// <summary>Characters at the beginning of a text that show a wrong decoding.</summary>
    private static int BrokenLength(ReadOnlySpan<char> text)
    {
        char second = text.Length > 1 ? text[1] : ' ';
        return text[0] switch
        {
            'Â' or 'Ã' => second is >= '\u0080' and <= '\u00BF' or '€' or '™' or 'œ' ? 2 : 0,
            'â' => second == '€' ? Math.Min(3, text.Length) : 0,
            'ï' => text.StartsWith("ï»¿") || text.StartsWith("ï¿½") ? 3 : 0,
            '锟' => text.StartsWith("锟斤拷") ? 3 : 0,
            _ => 1,
        };
    }
}
