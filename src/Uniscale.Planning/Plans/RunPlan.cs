using Uniscale.Configuration;
using Uniscale.Planning.Clusters;

namespace Uniscale.Planning.Plans;

/// <summary>A stretch of a run in which every step is alike: one phase, one batch.</summary>
/// <param name="Phase">Name of the phase.</param>
/// <param name="FromTokens">Consumed tokens at its beginning.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Step">Its steps.</param>
public sealed record RunSegment(string Phase, double FromTokens, double Tokens, PricedStep Step)
{
    /// <summary>Number of steps.</summary>
    public double Steps => Tokens / Step.Tokens;

    /// <summary>Seconds of its steps.</summary>
    public double Seconds => Steps * Step.Seconds;
}

/// <summary>A whole run on a cluster, without failures.</summary>
public sealed record RunPlan
{
    private const double SecondsPerHour = 3600;

    /// <summary>Stretches in order.</summary>
    public required IReadOnlyList<RunSegment> Segments { get; init; }

    /// <summary>Seconds of all validations; null where nothing is validated.</summary>
    public double? ValidationSeconds { get; init; }

    /// <summary>
    /// Whether something is validated whose length is not known: <c>evaluation.sequences</c> is 0 and the shards are not read.
    /// </summary>
    public bool ValidationIsUnknown { get; init; }

    /// <summary>What happens beside the steps of the run; null: nothing does.</summary>
    public CompanionTimes? Companions { get; init; }

    /// <summary>Saves of the run.</summary>
    public required double Saves { get; init; }

    /// <summary>
    /// Seconds that one save blocks training: the copy to the staging buffer; null where the cluster's figure is unknown.
    /// </summary>
    public double? SaveBlockingSeconds { get; init; }

    /// <summary>Bytes of one checkpoint.</summary>
    public required double CheckpointBytes { get; init; }

    /// <summary>Tokens of the run.</summary>
    public double Tokens => Segments.Sum(segment => segment.Tokens);

    /// <summary>Steps of the run.</summary>
    public double Steps => Segments.Sum(segment => segment.Steps);

    /// <summary>Seconds of steps with what happens beside them, of validations and of the known part of saves.</summary>
    public double Seconds =>
        Segments.Sum(segment => segment.Seconds)
        + Steps * (Companions?.PerStep ?? 0)
        + (ValidationSeconds ?? 0)
        + Saves * (SaveBlockingSeconds ?? 0);

    /// <summary>Hours of all ranks together.</summary>
    public double RankHours => Seconds / SecondsPerHour * Segments[0].Step.Spec.Mesh.Size;

    /// <summary>Money; null where an hour's price is unknown.</summary>
    public double? Money => Segments[0].Step.Cluster.GpuHourPrice * RankHours;

    /// <summary>The stretch that most tokens are in: what is meant by "the" step of a run.</summary>
    public RunSegment Main => Segments.MaxBy(segment => segment.Tokens)!;

    /// <summary>Plans a run: every phase with its own context and batch ramp.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="cluster">The hardware.</param>
    /// <param name="stack">The software on it.</param>
    /// <param name="specOf">Layout of a step: configuration (with the phase's context, batch and layout) and global batch.</param>
    /// <param name="layouts">Layouts by phase, of phases that a run is resumed with on another one; null: none.</param>
    /// <exception cref="UserErrorException">The run's length is not known, or a layout cannot work.</exception>
    public static RunPlan Of(
        RunConfiguration config,
        Cluster cluster,
        StackSection stack,
        Func<RunConfiguration, int, StepSpecification> specOf,
        IReadOnlyDictionary<string, ParallelSection>? layouts = null
    )
    {
        if (layouts?.Keys.FirstOrDefault(name => config.Phases.All(phase => phase.Name != name)) is { } stranger)
            throw new UserErrorException(
                $"A layout is given for the phase '{stranger}', which there is not: the phases are {(config.Phases.Count == 0 ? "none" : string.Join(", ", config.Phases.Select(phase => phase.Name)))}."
            );
        var steps = new Dictionary<(int Context, BatchSection Batch, int Sequences, ParallelSection Parallel), PricedStep>();
        PricedStep StepOf(string phase, int context, BatchSection batch, int sequences)
        {
            var parallel = layouts?.GetValueOrDefault(phase) ?? config.Parallel;
            var key = (context, batch, sequences, parallel);
            if (steps.TryGetValue(key, out var known))
                return known;
            var changed = config with { Model = config.Model with { Context = context }, Batch = batch, Parallel = parallel };
            return steps[key] = PricedStep.Of(specOf(changed, sequences), cluster, stack);
        }
        var segments = new List<RunSegment>();
        double consumed = 0,
            end = LengthOf(config);
        foreach (var phase in PhasesOf(config, end))
        {
            int context = phase.Context ?? config.Model.Context;
            double tokens = Math.Min(phase.Tokens, end - consumed);
            double origin = phase.Batch is null ? consumed : 0;
            foreach (var (from, length, sequences) in Pieces(BatchRamp.Of(phase.Batch ?? config.Batch, context), origin, tokens))
                segments.Add(
                    new RunSegment(
                        phase.Name,
                        consumed + from - origin,
                        length,
                        StepOf(phase.Name, context, phase.Batch ?? config.Batch, sequences)
                    )
                );
            consumed += tokens;
        }
        return Complete(config, cluster, segments);
    }

    private static RunPlan Complete(RunConfiguration config, Cluster cluster, List<RunSegment> segments)
    {
        var spec = segments[0].Step.Spec;
        // A critic is saved with the model.
        double parameters =
            ParameterCount.OfModel(spec.Model)
            + (spec.Companions.HasCritic ? ParameterCount.OfModel(spec.Model with { ScoreHead = true }) : 0);
        int stateBytes = MemoryPlan.CheckpointedBytes(spec);
        double steps = segments.Sum(segment => segment.Steps);
        double perRank = parameters * stateBytes / spec.Mesh.Size;
        return new RunPlan
        {
            Segments = segments,
            Companions = CompanionTimes.Of(config, segments.MaxBy(segment => segment.Tokens)!.Step),
            CheckpointBytes = parameters * stateBytes,
            Saves = config.Checkpoint.Every > 0 ? Math.Floor(steps / config.Checkpoint.Every) : 1,
            SaveBlockingSeconds = perRank / cluster.Staging,
            ValidationSeconds = ValidationOf(config, segments),
            ValidationIsUnknown = !ValidationIsKnown(config),
        };
    }

    /// <summary>
    /// Validations as the trainer runs them: every source of the phase apart, in batches of the step's size, by the program that only goes
    /// forward. Null where nothing is validated or
    /// the number of sequences is not known.
    /// </summary>
    private static double? ValidationOf(RunConfiguration config, List<RunSegment> segments)
    {
        if (config.Data.Validation.Count == 0 || !ValidationIsKnown(config))
            return null;
        var forward = new Dictionary<PricedStep, double>(ReferenceEqualityComparer.Instance);
        double seconds = 0;
        foreach (var segment in segments)
        {
            double times =
                config.Evaluation.Every > 0 ? segment.Steps / config.Evaluation.Every
                : segment == segments[^1] ? 1
                : 0;
            if (times == 0)
                continue;
            var step = segment.Step;
            if (!forward.TryGetValue(step, out double pass))
                forward[step] = pass = PricedStep
                    .Of(step.Spec with { ForwardOnly = true, Checksum = false }, step.Cluster, step.Stack)
                    .Seconds;
            double batch = step.Tokens / step.Spec.Model.Context;
            var named = config.Phases.FirstOrDefault(phase => phase.Name == segment.Phase)?.Evaluate ?? [];
            var sources = config.Data.Validation.Where(source => named.Count == 0 || named.Contains(source.Name));
            seconds +=
                times * pass * sources.Sum(source => Math.Ceiling(SequencesOf(config, source, step.Spec.Model.Context)!.Value / batch));
        }
        return seconds;
    }

    private static bool ValidationIsKnown(RunConfiguration config) =>
        config.Data.Validation.All(source => SequencesOf(config, source, 1) is not null);

    /// <summary>Sequences of a source at each validation; null: all of shards that a planner does not read.</summary>
    private static double? SequencesOf(RunConfiguration config, SourceSection source, int context) =>
        config.Evaluation.Sequences > 0 ? config.Evaluation.Sequences
        : source.VirtualTokens > 0 ? Math.Ceiling((double)source.VirtualTokens / context)
        : null;

    private static double LengthOf(RunConfiguration config)
    {
        double phases = config.Phases.Sum(phase => (double)phase.Tokens);
        double tokens = config.Train.Tokens > 0 ? config.Train.Tokens : double.PositiveInfinity;
        if (config.Train.Steps > 0)
            tokens = Math.Min(tokens, (double)config.Train.Steps * config.Batch.Global * config.Model.Context);
        double length = phases > 0 ? Math.Min(phases, tokens) : tokens;
        return double.IsFinite(length)
            ? length
            : throw new UserErrorException("The length of the run is not known: set train.tokens, train.steps or phases.");
    }

    private static IReadOnlyList<PhaseSection> PhasesOf(RunConfiguration config, double tokens) =>
        config.Phases.Count > 0 ? config.Phases : [new PhaseSection { Name = "run", Tokens = (long)tokens }];

    /// <summary>Pieces of a ramp between <paramref name="origin"/> and <paramref name="origin"/> + <paramref name="tokens"/>.</summary>
    private static IEnumerable<(double From, double Length, int Sequences)> Pieces(
        IReadOnlyList<(long FromTokens, int Sequences)> ramp,
        double origin,
        double tokens
    )
    {
        for (int i = 0; i < ramp.Count; i++)
        {
            double from = Math.Max(origin, ramp[i].FromTokens);
            double to = Math.Min(origin + tokens, i + 1 < ramp.Count ? ramp[i + 1].FromTokens : double.PositiveInfinity);
            if (to > from)
                yield return (from, to - from, ramp[i].Sequences);
        }
    }
}
