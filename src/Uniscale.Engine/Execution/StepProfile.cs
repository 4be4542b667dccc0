using Uniscale.Programs;

namespace Uniscale.Engine.Execution;

/// <summary>Time of a kernel, or of an operation of the model without the kernels that ran within it.</summary>
/// <param name="Name">As in the timeline.</param>
/// <param name="Calls">Calls a step.</param>
/// <param name="Seconds">Seconds a step.</param>
public sealed record KernelTime(string Name, double Calls, double Seconds);

/// <summary>A part of a step.</summary>
/// <param name="Name">One of the names in <see cref="StepProfile"/>.</param>
/// <param name="Seconds">Seconds a step.</param>
public sealed record PartTime(string Name, double Seconds);

/// <summary>Where the time of a rank's steps went; means over the recorded steps. The parts together are the step.</summary>
/// <param name="Steps">Recorded steps.</param>
/// <param name="StepSeconds">Seconds a step.</param>
/// <param name="Parts">In the order of the names below.</param>
/// <param name="Kernels">The longest first.</param>
public sealed record StepProfile(int Steps, double StepSeconds, IReadOnlyList<PartTime> Parts, IReadOnlyList<KernelTime> Kernels)
{
    /// <summary>
    /// Names of the parts. Those of the model and the optimizer count kernels only; the rest of their time is outside kernels.
    /// </summary>
    public const string Embedding = "embedding",
        ForwardBlocks = "forward blocks",
        BackwardBlocks = "backward blocks",
        Head = "head and loss",
        Optimizer = "optimizer",
        Communication = "communication",
        Data = "data",
        Outside = "outside kernels";

    private static readonly string[] Names = [Embedding, ForwardBlocks, BackwardBlocks, Head, Optimizer, Communication, Data, Outside];

    /// <summary>Profile of the steps in a timeline that recorded kernels.</summary>
    /// <param name="events">Of one rank.</param>
    /// <param name="head">Number of the head block.</param>
    /// <exception cref="InvalidOperationException">The timeline holds no step.</exception>
    public static StepProfile Of(IReadOnlyList<TimelineEvent> events, int head)
    {
        var steps = events.Where(e => e.Row == TimelineRow.Step).OrderBy(e => e.StartMicros).ToList();
        if (steps.Count == 0)
            throw new InvalidOperationException("The timeline holds no step.");
        double total = steps.Sum(step => step.DurationMicros);
        var inside = events.Where(e => steps.Any(step => Contains(step, e.StartMicros))).ToList();
        var instructions = inside.Where(e => e.Row == TimelineRow.Compute).OrderBy(e => e.StartMicros).ToList();
        var kernels = SelfTimes(inside.Where(e => e.Row == TimelineRow.Kernel));
        var parts = Names.ToDictionary(name => name, _ => 0.0);
        foreach (var instruction in instructions)
            if (PartOf(instruction.Name, head) is var part and (Communication or Data))
                parts[part] += instruction.DurationMicros;
        foreach (
            var (entry, self) in kernels.Where(kernel => !kernel.Event.Name.StartsWith(Timeline.OperationPrefix, StringComparison.Ordinal))
        )
            if (PartAt(instructions, entry.StartMicros, head) is { } part and not (Communication or Data))
                parts[part] += self;
        foreach (var wait in inside.Where(e => e.Row == TimelineRow.Wait))
            if (PartAt(instructions, wait.StartMicros, head) is not (Communication or Data))
                parts[Communication] += wait.DurationMicros;
        parts[Outside] = Math.Max(0, total - parts.Values.Sum());
        double unit = 1e6 * steps.Count;
        return new StepProfile(
            steps.Count,
            total / unit,
            [.. Names.Select(name => new PartTime(name, parts[name] / unit))],
            [
                .. kernels
                    .GroupBy(kernel => kernel.Event.Name)
                    .Select(group => new KernelTime(
                        group.Key,
                        (double)group.Count() / steps.Count,
                        group.Sum(kernel => kernel.Self) / unit
                    ))
                    .OrderByDescending(kernel => kernel.Seconds),
            ]
        );
    }

    /// <summary>The part that an instruction belongs to.</summary>
    private static string PartOf(string name, int head)
    {
        if (!Instruction.TryParse(name, out var instruction))
            return Outside;
        return instruction.Op switch
        {
            Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight when instruction.Block == 0 => Embedding,
            Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight when instruction.Block == head => Head,
            Op.Forward => ForwardBlocks,
            Op.Backward or Op.BackwardInput or Op.BackwardWeight => BackwardBlocks,
            Op.Norm or Op.Update => Optimizer,
            Op.Load or Op.CountTokens => Data,
            _ => Communication,
        };
    }

    /// <summary>The part of the instruction that runs at a time; null: none does.</summary>
    private static string? PartAt(List<TimelineEvent> instructions, double micros, int head)
    {
        int low = 0,
            high = instructions.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (instructions[middle].StartMicros <= micros)
                low = middle + 1;
            else
                high = middle;
        }
        return low > 0 && Contains(instructions[low - 1], micros) ? PartOf(instructions[low - 1].Name, head) : null;
    }

    /// <summary>Each event's duration without that of the events within it.</summary>
    private static List<(TimelineEvent Event, double Self)> SelfTimes(IEnumerable<TimelineEvent> events)
    {
        var result = new List<(TimelineEvent Event, double Self)>();
        var open = new Stack<int>();
        foreach (var entry in events.OrderBy(e => e.StartMicros).ThenByDescending(e => e.DurationMicros))
        {
            while (open.TryPeek(out int top) && !Contains(result[top].Event, entry.StartMicros))
                open.Pop();
            if (open.TryPeek(out int parent))
                result[parent] = result[parent] with { Self = result[parent].Self - entry.DurationMicros };
            open.Push(result.Count);
            result.Add((entry, entry.DurationMicros));
        }
        return result;
    }

    private static bool Contains(TimelineEvent outer, double micros) =>
        micros >= outer.StartMicros && micros < outer.StartMicros + outer.DurationMicros;
}
