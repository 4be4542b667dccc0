using Uniscale.Programs.Schedules;

namespace Uniscale.Programs.Timing;

/// <summary>Rows of a rank in a timeline.</summary>
public enum Lane : byte
{
    /// <summary>Passes and updates.</summary>
    Compute,

    /// <summary>Sends and collectives, in the order in which they were posted.</summary>
    Communication,
}

/// <summary>When an instruction ran.</summary>
/// <param name="Rank">World rank.</param>
/// <param name="Lane">Row.</param>
/// <param name="Instruction">What ran.</param>
/// <param name="Start">Seconds since the step began.</param>
/// <param name="End">Seconds since the step began.</param>
public readonly record struct Interval(int Rank, Lane Lane, Instruction Instruction, double Start, double End)
{
    /// <summary>Seconds.</summary>
    public double Duration => End - Start;
}

/// <summary>A step over time: predicted by <see cref="Simulate"/>, or measured.</summary>
public sealed class PipelineTimeline
{
    /// <summary>A timeline of intervals.</summary>
    /// <param name="intervals">In any order.</param>
    /// <param name="passesEnd">When the last pass of any rank was over; the bubble is counted up to there.</param>
    public PipelineTimeline(IReadOnlyList<Interval> intervals, double passesEnd)
    {
        Intervals = intervals;
        PassesEnd = passesEnd;
        Ranks = intervals.Select(interval => interval.Rank).Distinct().Order().ToArray();
        Seconds = intervals.Count == 0 ? 0 : intervals.Max(interval => interval.End);
    }

    /// <summary>What ran when.</summary>
    public IReadOnlyList<Interval> Intervals { get; }

    /// <summary>World ranks in the timeline, ascending.</summary>
    public IReadOnlyList<int> Ranks { get; }

    /// <summary>Length of the step.</summary>
    public double Seconds { get; }

    /// <summary>When the last pass was over.</summary>
    public double PassesEnd { get; }

    /// <summary>Share of the time up to <see cref="PassesEnd"/> in which ranks make no pass, mean over ranks: 0 to 1.</summary>
    public double BubbleRatio
    {
        get
        {
            double busy = Intervals.Where(interval => IsPass(interval.Instruction.Op)).Sum(interval => interval.Duration);
            return PassesEnd > 0 ? 1 - busy / (PassesEnd * Ranks.Count) : 0;
        }
    }

    /// <summary>Seconds of communication beside which the same rank computes nothing, mean over ranks.</summary>
    public double ExposedCommunicationSeconds => Ranks.Count == 0 ? 0 : Ranks.Average(ExposedOf);

    /// <summary>
    /// Predicts a step of one pipeline (the replicas and tensor ranks of each stage are alike): every rank runs its program in order,
    /// passes
    /// take what <paramref name="costs"/> says, and what is posted runs beside them, one after the other.
    /// </summary>
    /// <param name="spec">The layout.</param>
    /// <param name="costs">Seconds of each part.</param>
    /// <param name="schedule">Order of passes; null: the one that the layout names.</param>
    /// <exception cref="InvalidOperationException">The programs wait for each other for ever.</exception>
    public static PipelineTimeline Simulate(StepSpecification spec, StepCosts costs, ISchedule? schedule = null)
    {
        var generator = new ProgramGenerator(spec, schedule);
        var programs = spec.Mesh.GroupOf(0, Axis.Pipeline).Select(generator.Generate).ToArray();
        return new TimelineSimulation(costs, programs).Run();
    }

    private static bool IsPass(Op op) => op is Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight;

    private double ExposedOf(int rank)
    {
        var compute = Intervals.Where(i => i.Rank == rank && i.Lane == Lane.Compute).OrderBy(i => i.Start).ToArray();
        double exposed = 0;
        int first = 0;
        foreach (var talk in Intervals.Where(i => i.Rank == rank && i.Lane == Lane.Communication).OrderBy(i => i.Start))
        {
            while (first < compute.Length && compute[first].End <= talk.Start)
                first++;
            exposed += talk.Duration;
            for (int i = first; i < compute.Length && compute[i].Start < talk.End; i++)
                exposed -= Math.Max(0, Math.Min(compute[i].End, talk.End) - Math.Max(compute[i].Start, talk.Start));
        }
        return exposed;
    }
}
