using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Drops documents that hold listed words and phrases, as whole words and in any case.</summary>
internal sealed class BlockListRule : IDocumentRule
{
    private readonly PhraseTable _phrases;
    private readonly int _maxHits;

    public BlockListRule(BlockListSection settings)
    {
        _maxHits = settings.MaxHits;
        _phrases = new PhraseTable(settings.Words.Concat(settings.Lists.SelectMany(PhraseLists.Read)));
        if (_phrases.IsEmpty)
            throw new UserErrorException($"The rule '{settings.ReportedName}' has no words: set words or lists, or enabled to false.");
    }

    public bool Keeps(CleaningDocument document) => _phrases.Count(document, _maxHits + 1L) <= _maxHits;
}

/// <summary>Drops documents with few words that connect sentences (InternLM2, section 3.1.3: one of its rules for long data).</summary>
internal sealed class ConnectivesRule : IDocumentRule
{
    private static readonly string[] BuiltIn =
    [
        "however",
        "therefore",
        "because",
        "although",
        "thus",
        "hence",
        "moreover",
        "furthermore",
        "nevertheless",
        "consequently",
        "meanwhile",
        "otherwise",
        "instead",
        "for example",
        "as a result",
        "in addition",
        "on the other hand",
        "in fact",
        "in particular",
        "in other words",
        "因此",
        "所以",
        "因为",
        "但是",
        "然而",
        "虽然",
        "而且",
        "此外",
        "例如",
        "于是",
        "不过",
        "同时",
        "另外",
        "总之",
        "即使",
        "如果",
    ];

    private readonly PhraseTable _phrases;
    private readonly double _min;

    public ConnectivesRule(ConnectivesSection settings)
    {
        _min = settings.Min;
        _phrases = new PhraseTable([.. settings.BuiltIn ? BuiltIn : [], .. settings.Words, .. settings.Lists.SelectMany(PhraseLists.Read)]);
        if (_phrases.IsEmpty)
            throw new UserErrorException(
                $"The rule '{settings.ReportedName}' has no words: set words or lists, built_in to true, or enabled to false."
            );
    }

    public bool Keeps(CleaningDocument document)
    {
        long wanted = (long)Math.Ceiling(_min * document.Words.Length);
        return _phrases.Count(document, wanted) >= wanted;
    }
}

/// <summary>Words and phrases, in any case.</summary>
internal sealed class PhraseTable
{
    /// <summary>Hashes of the phrases, by their number of words.</summary>
    private readonly SortedDictionary<int, HashSet<ulong>> _phrases = [];

    public PhraseTable(IEnumerable<string> phrases)
    {
        foreach (string phrase in phrases)
            Add(phrase);
    }

    public bool IsEmpty => _phrases.Count == 0;

    /// <summary>Occurrences in a document, counted as far as <paramref name="most"/>.</summary>
    public long Count(CleaningDocument document, long most)
    {
        long hits = 0;
        foreach ((int length, var phrases) in _phrases)
        {
            var hashes = new NgramHashes(document.Words, length);
            while (hits < most && hashes.MoveNext())
                hits += phrases.Contains(hashes.Current) ? 1 : 0;
        }
        return hits;
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
