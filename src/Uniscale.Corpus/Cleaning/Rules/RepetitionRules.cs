using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Uniscale.Configuration;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Bounds of repetition by line.</summary>
internal sealed class RepeatedLinesRule(RepeatedLinesSection settings) : IDocumentRule
{
    public bool Keeps(CleaningDocument document)
    {
        ReadOnlySpan<char> text = document.Text;
        document.Counts.Reset(text.Count('\n') + 1);
        long lines = 0,
            repeated = 0,
            characters = 0,
            repeatedCharacters = 0;
        foreach (var range in text.Split('\n'))
        {
            var line = text[range].Trim();
            if (line.IsEmpty)
                continue;
            lines++;
            characters += line.Length;
            if (document.Counts.Add(XxHash3.HashToUInt64(MemoryMarshal.AsBytes(line))) == 1)
                continue;
            repeated++;
            repeatedCharacters += line.Length;
        }
        return repeated <= settings.MaxLines * lines && repeatedCharacters <= settings.MaxCharacters * characters;
    }
}

/// <summary>Bounds of repetition by n words.</summary>
internal sealed class RepeatedNgramsRule : IDocumentRule
{
    /// <summary>The bounds were found for English; most Chinese words have two characters.</summary>
    private const int CharactersInWord = 2;

    private readonly (int N, double Max)[] _top;
    private readonly (int N, double Max)[] _repeated;
    private readonly int _minWords;

    public RepeatedNgramsRule(RepeatedNgramsSection settings)
    {
        _minWords = settings.MinWords;
        _top = Bounds(settings, settings.MaxTop, "max_top");
        _repeated = Bounds(settings, settings.MaxRepeated, "max_repeated");
    }

    public bool Keeps(CleaningDocument document)
    {
        var words = document.Words;
        if (words.Length < _minWords)
            return true;
        long characters = 0,
            ideographic = 0;
        foreach (var word in words)
        {
            characters += word.Length;
            ideographic += Scripts.IsUnspaced(document.Text, word.Start) ? 1 : 0;
        }
        int length = 2 * ideographic > words.Length ? CharactersInWord : 1;
        foreach ((int n, double max) in _top)
            if (TopCharacters(document, words, n * length) > max * characters)
                return false;
        foreach ((int n, double max) in _repeated)
            if (RepeatedCharacters(document, words, n * length) > max * characters)
                return false;
        return true;
    }

    /// <summary>Characters in the most frequent n words; of equally frequent ones the longest count.</summary>
    private static long TopCharacters(CleaningDocument document, ReadOnlySpan<Word> words, int n)
    {
        document.Counts.Reset(words.Length);
        int most = 1;
        long top = 0;
        var hashes = new NgramHashes(words, n);
        while (hashes.MoveNext())
        {
            int count = document.Counts.Add(hashes.Current);
            if (count < most || count == 1)
                continue;
            long length = Length(words.Slice(hashes.First, n)) * count;
            top = count > most ? length : Math.Max(top, length);
            most = count;
        }
        return top;
    }

    /// <summary>Characters of words that lie in n words which were there before.</summary>
    private static long RepeatedCharacters(CleaningDocument document, ReadOnlySpan<Word> words, int n)
    {
        document.Counts.Reset(words.Length);
        long characters = 0;
        int covered = 0;
        var hashes = new NgramHashes(words, n);
        while (hashes.MoveNext())
        {
            if (document.Counts.Add(hashes.Current) == 1)
                continue;
            int from = Math.Max(covered, hashes.First);
            covered = hashes.First + n;
            characters += Length(words[from..covered]);
        }
        return characters;
    }

    private static long Length(ReadOnlySpan<Word> words)
    {
        long length = 0;
        foreach (var word in words)
            length += word.Length;
        return length;
    }

    private static (int, double)[] Bounds(RepeatedNgramsSection settings, IReadOnlyDictionary<string, double> bounds, string key) =>
        [
            .. bounds.Select(bound =>
                int.TryParse(bound.Key, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n is >= 1 and <= 64
                    ? (n, bound.Value)
                    : throw new UserErrorException(
                        $"The rule '{settings.ReportedName}' has a bound for '{bound.Key}' words in {key}; the keys are numbers of words, 1 to 64."
                    )
            ),
        ];
}
