namespace Uniscale.Program.Schedules;

/// <summary>
/// One forward, one backward (Narayanan et al., 2019, in the flushing form of Megatron-LM, 2021): stage s begins with p − 1 − s
/// forward passes, then alternates. The bubble is that of GPipe, but at most p − s microbatches are alive.
/// </summary>
public sealed class OneForwardOneBackwardSchedule : ISchedule
{
    public string Name => "1f1b";

    public string Summary => "one forward, one backward; at most p microbatches alive (Narayanan et al., 2019)";

    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        int warmup = Math.Min(shape.Stages - 1 - stage, shape.Microbatches);
        for (int m = 0; m < warmup; m++) yield return new Slot(Pass.Forward, m);
        for (int m = 0; m < shape.Microbatches; m++)
        {
            if (m + warmup < shape.Microbatches) yield return new Slot(Pass.Forward, m + warmup);
            yield return new Slot(Pass.Backward, m);
        }
    }

    /// <summary>(p − 1) / (m + p − 1), Narayanan et al., 2021.</summary>
    public double BubbleOf(PipelineShape shape, PassTimes times) =>
        (shape.Stages - 1.0) / (shape.Microbatches + shape.Stages - 1);
}
