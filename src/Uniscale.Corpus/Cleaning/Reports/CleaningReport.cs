using System.Text.Encodings.Web;
using System.Text.Json;

namespace Uniscale.Corpus.Cleaning;

/// <summary>What one step of a pipeline did.</summary>
/// <param name="Name">Of the step.</param>
/// <param name="Tally">Documents dropped and cut, with samples.</param>
public sealed record StepTally(string Name, RuleTally Tally);

/// <summary>What came in and what was kept of one domain.</summary>
public sealed record DomainReport(string Name, Amount Input, Amount Kept);

/// <summary>What became of all documents. Input is what was kept, dropped and cut away: every byte is in one of the three.</summary>
public sealed record CleaningReport
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>What was read.</summary>
    public Amount Input { get; init; } = new();

    /// <summary>What was written.</summary>
    public Amount Kept { get; init; } = new();

    /// <summary>Tokens were counted.</summary>
    public bool HasTokens { get; init; }

    /// <summary>In the order of the pipeline.</summary>
    public IReadOnlyList<StepTally> Steps { get; init; } = [];

    /// <summary>The same by domain.</summary>
    public IReadOnlyList<DomainReport> Domains { get; init; } = [];

    /// <summary>What was kept, by language.</summary>
    public SortedDictionary<string, Amount> Languages { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Processor time of all cores and all runs.</summary>
    public double ProcessorSeconds { get; init; }

    /// <summary>Input text a second of one core.</summary>
    public double MegabytesPerCoreSecond => ProcessorSeconds > 0 ? Input.Bytes / 1e6 / ProcessorSeconds : 0;

    /// <summary>Adds up the tallies of all shards and stages.</summary>
    internal static CleaningReport Of(CleaningPipeline pipeline, IReadOnlyList<CleaningShard> shards, int stages, WorkFolder folder)
    {
        var report = new CleaningReport
        {
            Steps = [.. pipeline.Rules.Select(rule => new StepTally(rule.ReportedName, new RuleTally()))],
            Domains =
            [
                .. shards
                    .Select(shard => shard.Domain)
                    .Distinct()
                    .Order(StringComparer.Ordinal)
                    .Select(domain => new DomainReport(domain, new Amount(), new Amount())),
            ],
            HasTokens = pipeline.Tokenizer is not null,
            ProcessorSeconds = folder.ProcessorTime.TotalSeconds,
        };
        foreach (var shard in shards)
        {
            DomainReport domain = report.Domains.First(domain => domain.Name == shard.Domain);
            for (int stage = 0; stage < stages; stage++)
                report.Add(domain, folder.Tally(stage, shard), isFirst: stage == 0, pipeline.Samples);
        }
        return report;
    }

    /// <summary>Writes report.json and report.html.</summary>
    public void Write(string directory)
    {
        WorkFolder.WriteWhole(Path.Combine(directory, "report.json"), JsonSerializer.Serialize(this, Json) + "\n");
        WorkFolder.WriteWhole(Path.Combine(directory, "report.html"), ReportPage.Write(this));
    }

    private void Add(DomainReport domain, StageTally tally, bool isFirst, int samples)
    {
        if (isFirst)
        {
            Input.Add(tally.Input);
            domain.Input.Add(tally.Input);
        }
        foreach ((string language, var amount) in tally.Kept)
        {
            Kept.Add(amount);
            domain.Kept.Add(amount);
            AddTokens(domain, amount.Tokens);
            if (!Languages.TryGetValue(language, out var sum))
                Languages[language] = sum = new Amount();
            sum.Add(amount);
        }
        foreach ((string name, var rule) in tally.Rules)
        {
            Steps.First(step => step.Name == name).Tally.Add(rule, samples);
            AddTokens(domain, rule.Dropped.Tokens + rule.Cut.Tokens);
        }
    }

    /// <summary>Tokens are counted once, where a document leaves; what came in is their sum.</summary>
    private void AddTokens(DomainReport domain, long tokens)
    {
        Input.Tokens += tokens;
        domain.Input.Tokens += tokens;
    }
}
