using System.Text.Json.Serialization;
using Uniscale.Telemetry.Accounting;

namespace Uniscale.Telemetry;

/// <summary>What is known when training begins.</summary>
public sealed record RunStart
{
    /// <summary>Name of the run.</summary>
    public required string Name { get; init; }

    /// <summary>Its directory.</summary>
    public required string RunDirectory { get; init; }

    /// <summary>SHA-256 of the resolved configuration.</summary>
    public string ConfigurationHash { get; init; } = "";

    /// <summary>Trainable numbers of the model.</summary>
    public long ParameterCount { get; init; }

    /// <summary>Ranks of the world.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>How ranks that are processes communicate; empty: ranks are threads of one process.</summary>
    public string Transport { get; init; } = "";

    /// <summary>The layout in words, e.g. <c>tp2 pp2 dp1</c>.</summary>
    public string Layout { get; init; } = "";

    /// <summary>Optimizer steps of the whole run; 0: not known.</summary>
    public long TotalSteps { get; init; }

    /// <summary>Tokens of the whole run; 0: not known.</summary>
    public long TotalTokens { get; init; }

    /// <summary>Step that the run continues after; 0: from the beginning.</summary>
    [JsonPropertyName("step")]
    public long ResumedStep { get; init; }

    /// <summary>Times that a supervisor started the run's job again.</summary>
    public int Restarts { get; init; }

    /// <summary>Model operations for a token (forward and backward).</summary>
    public double FlopsPerToken { get; init; }

    /// <summary>How <see cref="FlopsPerToken"/> is counted.</summary>
    public string FlopsFormula { get; init; } = "";

    /// <summary>Peak of all ranks together in FLOP/s; null: not known, and MFU is n/a.</summary>
    public double? PeakFlops { get; init; }

    /// <summary>Where the peak comes from, e.g. "measured at start" or "logging.peak_flops".</summary>
    public string PeakSource { get; init; } = "not known";

    /// <summary>Seconds until the first step by part, e.g. data, model, checkpoint.</summary>
    public IReadOnlyDictionary<string, double> StartupSeconds { get; init; } = new Dictionary<string, double>();

    /// <summary>Where the run's time went until now; null: not kept.</summary>
    public TimeAccount? Account { get; init; }
}

/// <summary>One optimizer step.</summary>
public sealed record StepReport
{
    /// <summary>Number of the step, from 1.</summary>
    public required long Step { get; init; }

    /// <summary>Steps of the whole run; 0: not known.</summary>
    public long TotalSteps { get; init; }

    /// <summary>Phase of the curriculum; null: the run has one only.</summary>
    public string? Phase { get; init; }

    /// <summary>Tokens of the run up to and with this step.</summary>
    public long ConsumedTokens { get; init; }

    /// <summary>Mean loss of a token in nats, or of a comparison of answers.</summary>
    public double Loss { get; init; }

    /// <summary>What the loss measured besides itself, e.g. accuracy; null: nothing.</summary>
    public IReadOnlyDictionary<string, double>? Measures { get; init; }

    /// <summary>Global norm of the gradients before clipping.</summary>
    public double GradientNorm { get; init; }

    /// <summary>Learning rate of the step.</summary>
    public double LearningRate { get; init; }

    /// <summary>Tokens of the step, over all replicas.</summary>
    public long BatchTokens { get; init; }

    /// <summary>Wall time of the step.</summary>
    public double Seconds { get; init; }

    /// <summary>Tokens a second, over all ranks.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Model operations a second over all ranks, recomputation not counted.</summary>
    public double ModelFlops { get; init; }

    /// <summary>Share of the peak, 0 to 1; null: the peak is not known.</summary>
    public double? Mfu { get; init; }

    /// <summary>Resident memory of the process now.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Its highest value so far, between steps too.</summary>
    public long PeakMemoryBytes { get; init; }

    /// <summary>
    /// Memory of the rank's device that is in use, by whatever process, as the device says; null: tensors lie in host memory.
    /// </summary>
    public long? DeviceMemoryBytes { get; init; }

    /// <summary>
    /// Resident memory now by what it is for, in bytes: parameters, gradients and optimizer (of the ranks of this process), cached (freed
    /// tensors that are
    /// kept for the next step's), managed (objects of .NET), other (activations under way, libraries, the rest).
    /// </summary>
    public IReadOnlyDictionary<string, long> MemoryParts { get; init; } = new Dictionary<string, long>();

    /// <summary>Mean loss of the step's tokens by domain, in nats; null: the run has one domain only.</summary>
    public IReadOnlyDictionary<string, double>? DomainLosses { get; init; }

    /// <summary>Share of the phase's tokens until now that each source fed, 0 to 1; null: nothing is mixed.</summary>
    public IReadOnlyDictionary<string, double>? MixtureFed { get; init; }

    /// <summary>Share of the phase's tokens that the mixture gives each source; null: nothing is mixed.</summary>
    public IReadOnlyDictionary<string, double>? MixturePlanned { get; init; }

    /// <summary>Seconds of the step by part, e.g. forward, backward, communication, optimizer, data.</summary>
    public IReadOnlyDictionary<string, double> Parts { get; init; } = new Dictionary<string, double>();

    /// <summary>Time until the end at the present speed; null: not known.</summary>
    public TimeSpan? Remaining { get; init; }

    /// <summary>Whether the update was skipped (a bad step).</summary>
    public bool Skipped { get; init; }

    /// <summary>Steps so far whose updates are not in the weights: left out, or taken back.</summary>
    public long SkippedCount { get; init; }

    /// <summary>Bad steps so far by kind, e.g. loss-spike; null: none.</summary>
    public IReadOnlyDictionary<string, long>? BadSteps { get; init; }

    /// <summary>Times that the run went back to a checkpoint because of them.</summary>
    public long Rollbacks { get; init; }

    /// <summary>Where the run's time went until now; null: not kept.</summary>
    public TimeAccount? Account { get; init; }

    /// <summary>Digest of the tokens that were fed, to compare two runs; null: not taken.</summary>
    public string? DataDigest { get; init; }
}

/// <summary>One validation source at one step.</summary>
public sealed record ValidationReport
{
    /// <summary>Step after which it was measured.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens of the run up to then.</summary>
    public long ConsumedTokens { get; init; }

    /// <summary>Validation source.</summary>
    public required string Name { get; init; }

    /// <summary>Its domain.</summary>
    public string Domain { get; init; } = "";

    /// <summary>Mean loss of a token in nats.</summary>
    public double Loss { get; init; }

    /// <summary>exp(loss).</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Loss in bits for a byte of text: comparable between tokenizers; null: bytes are not known.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>Tokens, or comparisons, that were judged.</summary>
    public long Tokens { get; init; }

    /// <summary>What the loss measured besides itself, e.g. accuracy; null: nothing.</summary>
    public IReadOnlyDictionary<string, double>? Measures { get; init; }
}

/// <summary>What the model scored in a task, asked between two steps.</summary>
public sealed record EvaluationReport
{
    /// <summary>Step after which it was asked.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens of the run up to then.</summary>
    public long ConsumedTokens { get; init; }

    /// <summary>Phase of the last step; null: the run has none.</summary>
    public string? Phase { get; init; }

    /// <summary>The task, e.g. <c>mmlu</c>, a group of its subjects, e.g. <c>mmlu_STEM</c>, or a subject.</summary>
    public required string Task { get; init; }

    /// <summary>Whether it is a part of another task.</summary>
    public bool IsPart { get; init; }

    /// <summary>By which rules it was held, in words.</summary>
    public string Method { get; init; } = "";

    /// <summary>The metric that counts.</summary>
    public required string Metric { get; init; }

    /// <summary>Scores by metric.</summary>
    public required IReadOnlyDictionary<string, double> Scores { get; init; }

    /// <summary>Standard errors by metric, of those that have one.</summary>
    public IReadOnlyDictionary<string, double> Errors { get; init; } = new Dictionary<string, double>();

    /// <summary>Questions that were asked.</summary>
    public int Questions { get; init; }

    /// <summary>The score that counts.</summary>
    [JsonIgnore]
    public TaskScore Main =>
        new(
            Task,
            Step,
            ConsumedTokens,
            Phase,
            Metric,
            Scores[Metric],
            Errors.TryGetValue(Metric, out double error) ? error : null,
            Questions,
            Method,
            IsPart
        );
}

/// <summary>How serious a note is.</summary>
public enum NoteLevel
{
    /// <summary>Good to know.</summary>
    Information,

    /// <summary>Something to look at; training goes on.</summary>
    Warning,

    /// <summary>Something that a person must mend.</summary>
    Error,
}

/// <summary>Something worth knowing: a checkpoint is durable, a step was skipped, a disk is full.</summary>
/// <param name="Step">Step at which it happened.</param>
/// <param name="Kind">A short word for programs, e.g. <c>checkpoint-durable</c>.</param>
/// <param name="Message">A sentence for people.</param>
/// <param name="Level">How serious it is.</param>
public sealed record Note(
    long Step,
    [property: JsonPropertyName("note")] string Kind,
    string Message,
    NoteLevel Level = NoteLevel.Information
)
{
    /// <summary>How long it took, of what took time; null: nothing did, or it is not known.</summary>
    public double? Seconds { get; init; }
}

/// <summary>A text of the run, for sinks that show texts.</summary>
/// <param name="Step">Step that it belongs to.</param>
/// <param name="Name">What it is of, e.g. <c>fed/web</c>: what the phase web is fed.</param>
/// <param name="Text">The text.</param>
public sealed record TextSample(long Step, string Name, string Text);

/// <summary>How numbers of the model are spread.</summary>
/// <param name="Step">Step after which they were counted.</param>
/// <param name="Name">Of what, e.g. <c>weights/block-003</c>.</param>
/// <param name="Values">The numbers, counted.</param>
public sealed record HistogramReport(long Step, string Name, ValueHistogram Values);

/// <summary>How the run ended.</summary>
/// <param name="Step">Last step.</param>
/// <param name="Finished">Whether all steps were done; otherwise it was stopped and can be resumed.</param>
/// <param name="Message">A sentence: why it ended, and where the results are.</param>
/// <param name="Elapsed">Wall time since the start.</param>
public sealed record RunEnd(long Step, bool Finished, string Message, TimeSpan Elapsed)
{
    /// <summary>Bad steps of the run by kind; null: none.</summary>
    public IReadOnlyDictionary<string, long>? BadSteps { get; init; }

    /// <summary>Steps whose updates are not in the weights.</summary>
    public long SkippedCount { get; init; }

    /// <summary>Times that the run went back to a checkpoint because of bad steps.</summary>
    public long Rollbacks { get; init; }

    /// <summary>Where the run's time went; null: not kept.</summary>
    public TimeAccount? Account { get; init; }

    /// <summary>Memory at its peak; null: not known.</summary>
    public PeakMemory? Memory { get; init; }
}

/// <summary>Highest resident memory of the process that needed most.</summary>
/// <param name="Rank">A rank of that process.</param>
/// <param name="MeasuredBytes">As the system counted it.</param>
/// <param name="PredictedBytes">As the planner said before; null: it was not asked.</param>
public sealed record PeakMemory(int Rank, long MeasuredBytes, long? PredictedBytes);
