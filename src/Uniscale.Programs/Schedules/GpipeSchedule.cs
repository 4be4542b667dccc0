namespace Uniscale.Programs.Schedules;

/// <summary>All forward passes, then all backward passes (Huang et al., 2019). Keeps the activations of every microbatch.</summary>
public sealed class GpipeSchedule : ISchedule
{
    /// <inheritdoc/>
    public string Name => "gpipe";

    /// <inheritdoc/>
    public string Summary => "all forward passes, then all backward passes (Huang et al., 2019)";

    /// <inheritdoc/>
    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        for (int m = 0; m < shape.Microbatches; m++)
            yield return new Slot(Pass.Forward, m);
        for (int m = 0; m < shape.Microbatches; m++)
            yield return new Slot(Pass.Backward, m);
    }

    /// <summary>(p − 1) / (m + p − 1), Huang et al., 2019.</summary>
    public double BubbleOf(PipelineShape shape, PassTimes times) => (shape.Stages - 1.0) / (shape.Microbatches + shape.Stages - 1);
}
