namespace Uniscale.Programs.Schedules;

/// <summary>GPipe that goes backward from the newest microbatch to the oldest, while its activations are still in the caches.</summary>
public sealed class LastInFirstOutSchedule : ISchedule
{
    public string Name => "gpipe-lifo";

    public string Summary => "all forward passes, then all backward passes, newest microbatch first";

    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        for (int m = 0; m < shape.Microbatches; m++)
            yield return new Slot(Pass.Forward, m);
        for (int m = shape.Microbatches - 1; m >= 0; m--)
            yield return new Slot(Pass.Backward, m);
    }

    /// <summary>(p − 1) / (m + p − 1), as GPipe (Huang et al., 2019).</summary>
    public double BubbleOf(PipelineShape shape, PassTimes times) => (shape.Stages - 1.0) / (shape.Microbatches + shape.Stages - 1);
}
