namespace Uniscale.Programs.Schedules;

/// <summary>A pass of one chunk of blocks over one microbatch.</summary>
public enum Pass : byte
{
    /// <summary>Forward through the blocks of the chunk.</summary>
    Forward,

    /// <summary>Backward through the blocks: input and weight gradients.</summary>
    Backward,

    /// <summary>Backward, leaving the gradients of matrices for <see cref="BackwardWeight"/>.</summary>
    BackwardInput,

    /// <summary>The gradients of matrices that <see cref="BackwardInput"/> left.</summary>
    BackwardWeight,
}

/// <summary>A step of a stage: one pass of one chunk over one microbatch.</summary>
public readonly record struct Slot(Pass Pass, int Microbatch, int Chunk = 0);

/// <summary>What the order of passes depends on.</summary>
/// <param name="Stages">Stages of the pipeline, p.</param>
/// <param name="Chunks">Chunks a stage, v.</param>
/// <param name="Microbatches">Microbatches of the step, m.</param>
public readonly record struct PipelineShape(int Stages, int Chunks, int Microbatches);

/// <summary>Times of the passes of one stage over one microbatch (all its chunks), in any unit.</summary>
/// <param name="Forward">Forward.</param>
/// <param name="BackwardInput">Input gradients.</param>
/// <param name="BackwardWeight">Weight gradients.</param>
public readonly record struct PassTimes(double Forward, double BackwardInput, double BackwardWeight)
{
    /// <summary>All passes of a microbatch on a stage.</summary>
    public double Total => Forward + BackwardInput + BackwardWeight;
}

/// <summary>
/// A pipeline schedule: the order in which a stage makes its passes. Everything else (receives and sends, gathering and reducing,
/// the optimizer) follows from it in <see cref="ProgramGenerator"/>. A class in this folder that implements this interface and has a
/// constructor without parameters is found by <see cref="ScheduleRegistry"/>; docs/how-to/add-a-schedule.md shows one.
/// </summary>
public interface ISchedule
{
    /// <summary>Name in configurations, e.g. <c>1f1b</c>.</summary>
    string Name { get; }

    /// <summary>One line for lists of schedules, with the source.</summary>
    string Summary { get; }

    /// <summary>Whether a stage may hold several chunks.</summary>
    bool Interleaves => false;

    /// <summary>Passes of a stage in order: each microbatch forward once and backward once (or input and weight) on each chunk.</summary>
    IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage);

    /// <summary>The order of passes for a layout whose stages do not cost the same; by default there is one order for all.</summary>
    ISchedule FittedTo(StepSpecification spec) => this;

    /// <summary>Share of a step that a rank stands idle when all stages cost the same and communication is free.</summary>
    double BubbleOf(PipelineShape shape, PassTimes times);
}
