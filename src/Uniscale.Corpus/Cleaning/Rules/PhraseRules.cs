using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Drops documents that hold listed words and phrases, as whole words and in any case.</summary>
internal sealed class BlockListRule : IDocumentRule
{
    /// <summary>Hashes of the phrases, by their number of words.</summary>
    private readonly SortedDictionary<int, HashSet<ulong>> _phrases = [];

    private readonly int _maxHits;

    public BlockListRule(BlockListSection settings)
    {
        _maxHits = settings.MaxHits;
        foreach (string phrase in settings.Words.Concat(settings.Lists.SelectMany(PhraseLists.Read)))
            Add(phrase);
        if (_phrases.Count == 0)
            throw new UserErrorException($"The rule '{settings.ReportedName}' has no words: set words or lists, or enabled to false.");
    }

    public bool Keeps(CleaningDocument document)
    {
        int hits = 0;
        foreach ((int length, var phrases) in _phrases)
        {
            var hashes = new NgramHashes(document.Words, length);
            while (hits <= _maxHits && hashes.MoveNext())
                hits += phrases.Contains(hashes.Current) ? 1 : 0;
        }
        return hits <= _maxHits;
    }

    private void Add(string phrase)
    {
        var words = new List<Word>();
        Words.Split(phrase, words);
        if (words.Count == 0)
            return;
        if (!_phrases.TryGetValue(words.Count, out var phrases))
            _phrases[words.Count] = phrases = [];
        var hash = new NgramHashes(words.ToArray(), words.Count);
        hash.MoveNext();
        phrases.Add(hash.Current);
    }
}

/// <summary>Lists that users write, an entry a line.</summary>
internal static class PhraseLists
{
    /// <summary>The entries; lines that begin with # are comments.</summary>
    /// <exception cref="UserErrorException">The file does not exist.</exception>
    public static IEnumerable<string> Read(string path) =>
        File.Exists(path)
            ? File.ReadLines(path).Where(line => !line.StartsWith('#') && !string.IsNullOrWhiteSpace(line))
            : throw new UserErrorException($"The block list {path} does not exist; give a text file with an entry a line.");
}

/// <summary>
/// Drops documents that share n words in a row with evaluation files. Memory: about 16 bytes for each word of these files.
/// </summary>
internal sealed class ContaminationRule : IDocumentRule
{
    private readonly ContaminationSection _settings;
    private readonly HashSet<ulong> _evaluation = [];

    public ContaminationRule(ContaminationSection settings)
    {
        _settings = settings;
        var words = new List<Word>();
        var text = new StringBuilder();
        foreach (var part in DocumentReader.ReadAll(settings.Evaluation))
        {
            text.Append(Encoding.UTF8.GetString(part.Text.Span));
            if (!part.IsLast)
                continue;
            words.Clear();
            Words.Split(text.ToString(), words);
            text.Clear();
            var hashes = new NgramHashes(words.ToArray(), settings.Ngram);
            while (hashes.MoveNext())
                _evaluation.Add(hashes.Current);
        }
        if (_evaluation.Count == 0)
            throw new UserErrorException(
                $"The rule '{settings.ReportedName}' finds no {settings.Ngram} words in a row in its evaluation files: set evaluation, or a smaller ngram."
            );
    }

    public bool Keeps(CleaningDocument document)
    {
        long shared = 0,
            all = NgramHashes.Count(document.Words.Length, _settings.Ngram);
        var hashes = new NgramHashes(document.Words, _settings.Ngram);
        while (hashes.MoveNext())
            shared += _evaluation.Contains(hashes.Current) ? 1 : 0;
        return shared <= _settings.MaxShare * all;
    }
}
