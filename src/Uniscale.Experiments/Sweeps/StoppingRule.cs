namespace Uniscale.Experiments.Sweeps;

/// <summary>A run as a rule sees it.</summary>
/// <param name="Curve">Its metric by step.</param>
/// <param name="HasFailed">Whether it has failed for good.</param>
public readonly record struct RunProgress(RunCurve Curve, bool HasFailed);

/// <summary>What a rule says about a run.</summary>
/// <param name="Target">Step that it is to come to now; <see cref="long.MaxValue"/>: its end.</param>
/// <param name="StoppedAt">Step after which it does not count any more; null: it counts.</param>
public readonly record struct StoppingVerdict(long Target, long? StoppedAt);

/// <summary>
/// Says which runs go on. The verdicts are a function of the curves alone, and what is once decided stays so however far the curves go:
/// the order in which runs happen to be done, or a sweep that was killed, changes nothing in its table.
/// </summary>
public abstract class StoppingRule
{
    /// <summary>The rule that a sweep asks for.</summary>
    public static StoppingRule Of(StoppingSection section) =>
        section.Rule switch
        {
            StoppingKind.Median => new MedianRule(section.After, section.Every > 0 ? section.Every : section.After, section.Runs),
            StoppingKind.Halving => new HalvingRule(section.After, section.Factor),
            _ => new NoRule(),
        };

    /// <summary>The verdict on every run.</summary>
    public abstract IReadOnlyList<StoppingVerdict> Judge(IReadOnlyList<RunProgress> runs);

    /// <summary>Less is better; a value that is no number is worse than all.</summary>
    private protected static double Comparable(double value) => double.IsNaN(value) ? double.PositiveInfinity : value;

    private sealed class NoRule : StoppingRule
    {
        public override IReadOnlyList<StoppingVerdict> Judge(IReadOnlyList<RunProgress> runs) =>
            [.. runs.Select(_ => new StoppingVerdict(long.MaxValue, null))];
    }
}

/// <summary>
/// The median rule (after Golovin et al., "Google Vizier", 2017, section 3.2.2): at each milestone a run is stopped whose value is worse
/// than
/// the median of the runs before it in the plan that came to the same step.
/// </summary>
/// <param name="after">First milestone.</param>
/// <param name="every">Steps between milestones.</param>
/// <param name="runs">Runs that a median needs.</param>
public sealed class MedianRule(long after, long every, int runs) : StoppingRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StoppingVerdict> Judge(IReadOnlyList<RunProgress> runs)
    {
        var verdicts = new List<StoppingVerdict>(runs.Count);
        foreach (var _ in runs)
            verdicts.Add(new StoppingVerdict(long.MaxValue, StoppedAt(runs, verdicts)));
        return verdicts;
    }

    private long? StoppedAt(IReadOnlyList<RunProgress> all, List<StoppingVerdict> earlier)
    {
        var mine = all[earlier.Count].Curve;
        // The end itself is no milestone: there is nothing left to save.
        for (long step = after; step <= mine.LastStep && step < mine.TotalSteps; step += every)
        {
            if (mine.At(step) is not { } value)
                return null;
            var others = new List<double>();
            for (int run = 0; run < earlier.Count; run++)
            {
                if (earlier[run].StoppedAt < step)
                    continue;
                if (all[run].Curve.At(step) is { } other)
                    others.Add(Comparable(other));
                else if (!all[run].HasFailed)
                    return null;
            }
            if (others.Count >= runs && Comparable(value) > Median(others))
                return step;
        }
        return null;
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        int middle = values.Count / 2;
        return values.Count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }
}

/// <summary>
/// Successive halving (Jamieson and Talwalkar, 2016): all runs go to the first rung and wait; of those there one in so many goes on to the
/// next rung, which is so many times further, until the survivors go to the end.
/// </summary>
/// <param name="first">Step of the first rung.</param>
/// <param name="factor">How many times fewer runs and further rungs.</param>
public sealed class HalvingRule(long first, int factor) : StoppingRule
{
    /// <inheritdoc/>
    public override IReadOnlyList<StoppingVerdict> Judge(IReadOnlyList<RunProgress> runs)
    {
        var verdicts = runs.Select(_ => new StoppingVerdict(long.MaxValue, null)).ToArray();
        var survivors = Enumerable.Range(0, runs.Count).ToList();
        for (long rung = first; survivors.Count > 1 && survivors.Any(run => GoesBeyond(runs[run], rung)); rung *= factor)
        {
            if (survivors.Any(run => runs[run].Curve.At(rung) is null && !runs[run].HasFailed))
            {
                foreach (int run in survivors)
                    verdicts[run] = new(rung, null);
                break;
            }
            var ranked = survivors
                .Where(run => runs[run].Curve.At(rung) is not null)
                .OrderBy(run => Comparable(runs[run].Curve.At(rung)!.Value))
                .ThenBy(run => run)
                .ToList();
            survivors = [.. ranked.Take(Math.Max(1, ranked.Count / factor))];
            foreach (int run in ranked.Skip(survivors.Count))
                verdicts[run] = new(rung, rung);
        }
        return verdicts;
    }

    /// <summary>A run that has not begun may have any number of steps.</summary>
    private static bool GoesBeyond(RunProgress run, long rung) =>
        !run.HasFailed && (run.Curve.TotalSteps == 0 || run.Curve.TotalSteps > rung);
}
