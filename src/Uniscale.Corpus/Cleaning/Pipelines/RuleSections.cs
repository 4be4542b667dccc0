using Uniscale.Configuration.Schema;

namespace Uniscale.Corpus.Cleaning;

/// <summary>What all rules share.</summary>
public abstract record RuleSection
{
    /// <summary>Whether the step is taken.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Name in the report; by default the rule's.</summary>
    public string? Name { get; init; }

    /// <summary>Domains whose documents pass untouched.</summary>
    public IReadOnlyList<string> Except { get; init; } = [];

    internal string ReportedName => Name ?? Names.Snake(GetType().Name[..^"Section".Length]);

    /// <summary>Files that decide what the rule does, besides its settings.</summary>
    internal virtual IEnumerable<string> Files => [];
}

/// <summary>Finds the language of each document and writes it into the store.</summary>
public sealed record LanguageSection : RuleSection
{
    /// <summary>Languages to keep, as ISO 639-1 codes (en, zh, ja, ko, ru, de, fr, ...) or other; empty: all.</summary>
    public IReadOnlyList<string> Keep { get; init; } = [];

    /// <summary>
    /// Whether the language that a document's source declared is believed; without it, and where none was declared, it is told from the
    /// text.
    /// </summary>
    public bool Declared { get; init; }
}

/// <summary>Addresses whose documents are dropped or kept; documents without an address pass.</summary>
public sealed record UrlSection : RuleSection
{
    /// <summary>Hosts, with all below them (example.org), or hosts with the beginning of a path (example.org/forum).</summary>
    public IReadOnlyList<string> Drop { get; init; } = [];

    /// <summary>Files of such, one a line; lines that begin with # are comments.</summary>
    public IReadOnlyList<string> Lists { get; init; } = [];

    /// <summary>The only ones to keep; empty: all.</summary>
    public IReadOnlyList<string> Keep { get; init; } = [];

    internal override IEnumerable<string> Files => Lists;
}

/// <summary>Bounds of the score that a document's source gave it.</summary>
public sealed record ScoreSection : RuleSection
{
    /// <summary>Least score.</summary>
    public double? Min { get; init; }

    /// <summary>Largest score.</summary>
    public double? Max { get; init; }

    /// <summary>Whether documents without a score are dropped.</summary>
    public bool DropUnknown { get; init; }
}

/// <summary>Bounds of length, in characters and words (a Chinese character is a word).</summary>
public sealed record LengthSection : RuleSection
{
    /// <summary>Fewest characters.</summary>
    [Range(0)]
    public int MinCharacters { get; init; }

    /// <summary>Most characters; 0: no bound.</summary>
    [Range(0)]
    public int MaxCharacters { get; init; }

    /// <summary>Fewest bytes of UTF-8: long data is what has more than 32KiB (InternLM2).</summary>
    [Range(0), Unit(Unit.Bytes)]
    public long MinBytes { get; init; }

    /// <summary>Most bytes of UTF-8; 0: no bound.</summary>
    [Range(0), Unit(Unit.Bytes)]
    public long MaxBytes { get; init; }

    /// <summary>Fewest words.</summary>
    [Range(0)]
    public int MinWords { get; init; }

    /// <summary>Longest mean length of a word, in characters; 0: no bound. Long means are tables, addresses and data.</summary>
    [Range(0)]
    public double MaxMeanWord { get; init; }
}

/// <summary>Bound of the share of symbols.</summary>
public sealed record SymbolsSection : RuleSection
{
    /// <summary>Largest share of characters (spaces aside) that are neither letters nor digits nor common punctuation.</summary>
    [Range(0, 1)]
    public double Max { get; init; } = 0.15;
}

/// <summary>Bound of the share of digits.</summary>
public sealed record DigitsSection : RuleSection
{
    /// <summary>Largest share of characters (spaces aside) that are digits.</summary>
    [Range(0, 1)]
    public double Max { get; init; } = 0.2;
}

/// <summary>Bounds of repetition by line (Rae et al., 2021, "Gopher", table A1).</summary>
public sealed record RepeatedLinesSection : RuleSection
{
    /// <summary>Largest share of lines that were there before.</summary>
    [Range(0, 1)]
    public double MaxLines { get; init; } = 0.3;

    /// <summary>Largest share of characters in such lines.</summary>
    [Range(0, 1)]
    public double MaxCharacters { get; init; } = 0.2;
}

/// <summary>
/// Bounds of repetition by n words (Rae et al., 2021, "Gopher", table A1): the n words to the largest share of characters.
/// </summary>
public sealed record RepeatedNgramsSection : RuleSection
{
    /// <summary>Documents of fewer words pass.</summary>
    [Range(1)]
    public int MinWords { get; init; } = 50;

    /// <summary>Largest share of characters in the most frequent n words.</summary>
    [Range(0, 1)]
    public IReadOnlyDictionary<string, double> MaxTop { get; init; } =
        new OrderedDictionary<string, double>
        {
            ["2"] = 0.2,
            ["3"] = 0.18,
            ["4"] = 0.16,
        };

    /// <summary>Largest share of characters in any n words that were there before.</summary>
    [Range(0, 1)]
    public IReadOnlyDictionary<string, double> MaxRepeated { get; init; } =
        new OrderedDictionary<string, double>
        {
            ["5"] = 0.15,
            ["6"] = 0.14,
            ["7"] = 0.13,
            ["8"] = 0.12,
            ["9"] = 0.11,
            ["10"] = 0.1,
        };
}

/// <summary>Lines that belong to a page rather than its text.</summary>
public sealed record BoilerplateSection : RuleSection
{
    /// <summary>Phrases that mark a line, besides the built-in ones, in any case.</summary>
    public IReadOnlyList<string> Phrases { get; init; } = [];

    /// <summary>Whether the built-in phrases (English and Chinese notices, navigation, cookies) are used.</summary>
    public bool BuiltIn { get; init; } = true;

    /// <summary>Longest line that a phrase marks, in characters; longer ones are text.</summary>
    [Range(1)]
    public int MaxLine { get; init; } = 200;

    /// <summary>A document of which more than this share of characters is removed is dropped.</summary>
    [Range(0, 1)]
    public double MaxRemoved { get; init; } = 0.5;
}

/// <summary>Bound of wrongly decoded text.</summary>
public sealed record MojibakeSection : RuleSection
{
    /// <summary>
    /// Largest share of characters that are U+FFFD, C1 controls or part of a sequence that UTF-8 gives when read as Latin-1 or GBK.
    /// </summary>
    [Range(0, 1)]
    public double Max { get; init; } = 0.001;
}

/// <summary>Words and phrases that a document must not hold.</summary>
public sealed record BlockListSection : RuleSection
{
    /// <summary>The words and phrases, in any case.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Files of such, one a line; lines that begin with # are comments.</summary>
    public IReadOnlyList<string> Lists { get; init; } = [];

    /// <summary>Most occurrences that a document may have.</summary>
    [Range(0)]
    public int MaxHits { get; init; }

    internal override IEnumerable<string> Files => Lists;
}

/// <summary>
/// Words that connect sentences, such as "however" and 因此, of which a long text that hangs together has some, and a list or a log none.
/// </summary>
public sealed record ConnectivesSection : RuleSection
{
    /// <summary>Least share of words that begin such a phrase.</summary>
    [Range(0, 1)]
    public double Min { get; init; } = 0.002;

    /// <summary>Further words and phrases, in any case.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Files of such, one a line; lines that begin with # are comments.</summary>
    public IReadOnlyList<string> Lists { get; init; } = [];

    /// <summary>Whether the English and Chinese ones that are built in count.</summary>
    public bool BuiltIn { get; init; } = true;

    internal override IEnumerable<string> Files => Lists;
}

/// <summary>An n-gram language model of good text, one a language, and how improbable a document may be.</summary>
public sealed record QualitySection : RuleSection
{
    /// <summary>Stores and files (JSONL, .txt) of good text.</summary>
    public IReadOnlyList<string> Gold { get; init; } = [];

    /// <summary>Bytes of good text used for each language.</summary>
    [Range(1), Unit(Unit.Bytes)]
    public long GoldBytes { get; init; } = 16 << 20;

    /// <summary>Characters of the longest n-gram.</summary>
    [Range(1, 8)]
    public int Order { get; init; } = 5;

    /// <summary>Largest bits per character, by language.</summary>
    [Range(0)]
    public IReadOnlyDictionary<string, double> MaxBits { get; init; } = new OrderedDictionary<string, double>();

    /// <summary>Share of documents to keep, the most probable first, by language.</summary>
    [Range(0, 1)]
    public IReadOnlyDictionary<string, double> Keep { get; init; } = new OrderedDictionary<string, double>();

    /// <summary>Characters of a document that are scored, from its beginning.</summary>
    [Range(1)]
    public int MaxCharacters { get; init; } = 16384;

    internal override IEnumerable<string> Files => DocumentStore.Resolve(Gold, "gold").SelectMany(domain => domain.Files);
}

/// <summary>Documents that are equal but for spaces: the first stays.</summary>
public sealed record ExactDocumentsSection : RuleSection;

/// <summary>
/// Paragraphs (set apart by empty lines) that are equal but for spaces: the first stays, the others are removed from their documents.
/// </summary>
public sealed record ExactParagraphsSection : RuleSection
{
    /// <summary>Shorter paragraphs stay.</summary>
    [Range(1)]
    public int MinCharacters { get; init; } = 100;

    /// <summary>A document of which more than this share of characters is removed is dropped.</summary>
    [Range(0, 1)]
    public double MaxRemoved { get; init; } = 0.8;
}

/// <summary>
/// Documents with nearly the same sets of shingles, by MinHash (Broder, 1997) and locality-sensitive hashing: the first stays.
/// </summary>
public sealed record NearDuplicatesSection : RuleSection
{
    /// <summary>
    /// Jaccard similarity of the sets of shingles, estimated from the signatures, from which documents count as the same.
    /// </summary>
    [Range(0, 1, MinimumExclusive = true)]
    public double Similarity { get; init; } = 0.6;

    /// <summary>Words in a shingle.</summary>
    [Range(1, 32)]
    public int Shingle { get; init; } = 3;

    /// <summary>Bands of a signature; documents that agree in one are compared.</summary>
    [Range(1, 256)]
    public int Bands { get; init; } = 32;

    /// <summary>Hashes in a band.</summary>
    [Range(1, 32)]
    public int Rows { get; init; } = 4;

    /// <summary>Documents with fewer shingles are not compared.</summary>
    [Range(1)]
    public int MinShingles { get; init; } = 10;

    /// <summary>Memory in which candidates are sorted; 10 bytes for each document come on top of it.</summary>
    [Range(1 << 20), Unit(Unit.Bytes)]
    public long Memory { get; init; } = 256 << 20;
}

/// <summary>Text that evaluation sets hold too.</summary>
public sealed record ContaminationSection : RuleSection
{
    /// <summary>Evaluation files: JSONL (their text) or .txt.</summary>
    public IReadOnlyList<string> Evaluation { get; init; } = [];

    /// <summary>Words in a row that count as the same text.</summary>
    [Range(1, 64)]
    public int Ngram { get; init; } = 13;

    /// <summary>Largest share of a document's n-grams that evaluation files may hold.</summary>
    [Range(0, 1)]
    public double MaxShare { get; init; }

    internal override IEnumerable<string> Files => Evaluation;
}
