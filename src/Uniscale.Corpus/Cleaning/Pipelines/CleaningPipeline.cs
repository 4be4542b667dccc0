using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Corpus.Cleaning;

/// <summary>What is cleaned, how, and where the result goes: the file given to <c>uniscale data clean</c>.</summary>
public sealed record CleaningPipeline
{
    /// <summary>Stores to clean, in the order in which a copy is preferred over its duplicates.</summary>
    public IReadOnlyList<string> Inputs { get; init; } = [];

    /// <summary>Store to write: a directory that holds no store yet.</summary>
    public string Output { get; init; } = "";

    /// <summary>Domains of the stores to clean; empty: all.</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>Tokenizer that counts the tokens of the report; without one, bytes alone are counted.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Samples in the report of what each rule dropped.</summary>
    [Range(0, 100)]
    public int Samples { get; init; } = 5;

    /// <summary>What is done to each document, in this order.</summary>
    public IReadOnlyList<StepSection> Steps { get; init; } = [];

    /// <summary>Reads and checks a pipeline.</summary>
    /// <exception cref="UserErrorException">A key, a value or a rule is wrong, with its place.</exception>
    public static CleaningPipeline Load(string path)
    {
        var pipeline = SectionFile.Load<CleaningPipeline>(path);
        pipeline.Check(path);
        return pipeline;
    }

    /// <summary>The rules that are switched on, in order.</summary>
    internal IReadOnlyList<RuleSection> Rules => [.. Steps.Select(step => step.Rule!).Where(rule => rule.Enabled)];

    private void Check(string path)
    {
        if (Inputs.Count == 0)
            throw new UserErrorException($"{path} names no store to clean: set inputs, for example to [data/corpus-small/store].");
        if (Output.Length == 0)
            throw new UserErrorException(
                $"{path} does not say where the cleaned store goes: set output, for example to data/corpus-clean."
            );
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < Steps.Count; i++)
        {
            if (Steps[i].Rule is not { } rule)
                throw new UserErrorException(
                    $"{path}: steps[{i}] must hold one rule with its settings, for example {{length: {{min_characters: 200}}}} or {{symbols: {{}}}}; it holds {(Steps[i].Count == 0 ? "none" : "several")}."
                );
            if (!names.Add(rule.ReportedName))
                throw new UserErrorException(
                    $"{path}: steps[{i}] is a second rule called '{rule.ReportedName}'; give it another name with name:."
                );
        }
        if (Rules.Count == 0)
            throw new UserErrorException(
                $"{path} has no step that is switched on: add steps, for example [{{length: {{min_characters: 200}}}}]."
            );
    }
}

/// <summary>One step: the key says which rule it is.</summary>
public sealed record StepSection
{
    /// <summary>Finds the language and keeps some.</summary>
    public LanguageSection? Language { get; init; }

    /// <summary>Drops by address.</summary>
    public UrlSection? Url { get; init; }

    /// <summary>Drops by the source's score.</summary>
    public ScoreSection? Score { get; init; }

    /// <summary>Drops what is too short or too long.</summary>
    public LengthSection? Length { get; init; }

    /// <summary>Drops what has too many symbols.</summary>
    public SymbolsSection? Symbols { get; init; }

    /// <summary>Drops what has too many digits.</summary>
    public DigitsSection? Digits { get; init; }

    /// <summary>Drops what says its lines again and again.</summary>
    public RepeatedLinesSection? RepeatedLines { get; init; }

    /// <summary>Drops what says its words again and again.</summary>
    public RepeatedNgramsSection? RepeatedNgrams { get; init; }

    /// <summary>Removes lines of notices and navigation.</summary>
    public BoilerplateSection? Boilerplate { get; init; }

    /// <summary>Drops text that was decoded wrongly.</summary>
    public MojibakeSection? Mojibake { get; init; }

    /// <summary>Drops documents with listed words.</summary>
    public BlockListSection? BlockList { get; init; }

    /// <summary>Drops what has few words that connect sentences.</summary>
    public ConnectivesSection? Connectives { get; init; }

    /// <summary>Drops what a language model of good text finds improbable.</summary>
    public QualitySection? Quality { get; init; }

    /// <summary>Drops copies of documents.</summary>
    public ExactDocumentsSection? ExactDocuments { get; init; }

    /// <summary>Removes copies of paragraphs.</summary>
    public ExactParagraphsSection? ExactParagraphs { get; init; }

    /// <summary>Drops documents that are nearly copies.</summary>
    public NearDuplicatesSection? NearDuplicates { get; init; }

    /// <summary>Drops documents that hold text of evaluation sets.</summary>
    public ContaminationSection? Contamination { get; init; }

    internal int Count => All.Count(rule => rule is not null);

    /// <summary>The rule, where there is exactly one.</summary>
    internal RuleSection? Rule => Count == 1 ? All.Single(rule => rule is not null) : null;

    private RuleSection?[] All =>
        [
            Language,
            Url,
            Score,
            Length,
            Symbols,
            Digits,
            RepeatedLines,
            RepeatedNgrams,
            Boilerplate,
            Mojibake,
            BlockList,
            Connectives,
            Quality,
            ExactDocuments,
            ExactParagraphs,
            NearDuplicates,
            Contamination,
        ];
}
