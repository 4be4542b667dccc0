using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// The global batch along a phase. Each stage lasts whole steps: the batch changes, and the phase ends, with the first step that reaches
/// the token
/// count it was set for. So every step is full, and its size is a function of position.
/// </summary>
public sealed class PhaseSteps
{
    private readonly Stage[] _stages;

    private PhaseSteps(Stage[] stages) => _stages = stages;

    /// <summary>A run of steps of equal size.</summary>
    /// <param name="FirstSample">Its first sample within the phase.</param>
    /// <param name="Sequences">Samples in a step.</param>
    /// <param name="StepCount">Steps of the stage.</param>
    public sealed record Stage(long FirstSample, int Sequences, long StepCount)
    {
        /// <summary>First sample after the stage.</summary>
        public long End => FirstSample + Sequences * StepCount;
    }

    /// <summary>Stretches of equal batches, in order.</summary>
    public IReadOnlyList<Stage> Stages => _stages;

    /// <summary>Samples of the phase.</summary>
    public long SampleCount => _stages[^1].End;

    /// <summary>Steps of the phase.</summary>
    public long StepCount => _stages.Sum(stage => stage.StepCount);

    /// <summary>A ramp over a phase of so many tokens.</summary>
    public static PhaseSteps OverTokens(IReadOnlyList<(long From, int Sequences)> changes, int context, long tokens) =>
        Build(
            changes,
            context,
            (_, sequences, start, limit) => CeilingOf(Math.Min(limit, tokens) - start * context, (long)sequences * context)
        );

    /// <summary>A ramp over so many steps.</summary>
    public static PhaseSteps OverSteps(IReadOnlyList<(long From, int Sequences)> changes, int context, long steps) =>
        Build(
            changes,
            context,
            (done, sequences, start, limit) =>
                limit == long.MaxValue
                    ? steps - done
                    : Math.Min(steps - done, CeilingOf(limit - start * context, (long)sequences * context))
        );

    /// <summary>Samples in the step that begins at a sample of the phase.</summary>
    public int SequencesAt(long sample)
    {
        if ((ulong)sample >= (ulong)SampleCount)
            throw new ArgumentOutOfRangeException(nameof(sample), $"Sample {sample} is not one of the {SampleCount} of the phase.");
        int stage = Array.FindLastIndex(_stages, s => s.FirstSample <= sample);
        return (int)Math.Min(_stages[stage].Sequences, SampleCount - sample);
    }

    /// <summary>Number within the phase of the step that a sample belongs to, and the step's first sample.</summary>
    public (long Step, long FirstSample) StepOf(long sample)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)sample, (ulong)SampleCount, nameof(sample));
        long before = 0;
        foreach (var stage in _stages)
        {
            if (sample < stage.End)
            {
                long within = (sample - stage.FirstSample) / stage.Sequences;
                return (before + within, stage.FirstSample + within * stage.Sequences);
            }
            before += stage.StepCount;
        }
        throw new ArgumentOutOfRangeException(nameof(sample));
    }

    /// <summary>
    /// The changes of a ramp as seen from <paramref name="origin"/> consumed tokens on: what holds there, then what comes later, counted
    /// from there.
    /// </summary>
    public static IReadOnlyList<(long From, int Sequences)> ChangesFrom(BatchSection batch, int context, long origin)
    {
        var ramp = BatchRamp.Of(batch, context);
        int current = ramp.Count - 1;
        while (ramp[current].FromTokens > origin)
            current--;
        return [(0, ramp[current].Sequences), .. ramp.Skip(current + 1).Select(change => (change.FromTokens - origin, change.Sequences))];
    }

    private static PhaseSteps Build(
        IReadOnlyList<(long From, int Sequences)> changes,
        int context,
        Func<long, int, long, long, long> stepsOf
    )
    {
        var stages = new List<Stage>();
        long done = 0,
            sample = 0;
        for (int i = 0; i < changes.Count; i++)
        {
            long limit = i + 1 < changes.Count ? changes[i + 1].From : long.MaxValue;
            long steps = stepsOf(done, changes[i].Sequences, sample, limit);
            if (steps <= 0)
                continue;
            stages.Add(new Stage(sample, changes[i].Sequences, steps));
            done += steps;
            sample = stages[^1].End;
        }
        return new PhaseSteps([.. stages]);
    }

    private static long CeilingOf(long tokens, long stepTokens) => tokens <= 0 ? 0 : (tokens + stepTokens - 1) / stepTokens;
}
