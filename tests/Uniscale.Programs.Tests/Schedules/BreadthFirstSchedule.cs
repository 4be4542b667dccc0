using Uniscale.Programs.Schedules;

namespace Uniscale.Programs.Tests.Schedules;

/// <summary>
/// All microbatches through the first chunk, then through the next; backward in reverse (Lamy-Poirier, 2023). A schedule that interleaves
/// and that no other file knows.
/// </summary>
internal sealed class BreadthFirstSchedule : ISchedule
{
    public string Name => "breadth-first";

    public string Summary => "GPipe over several chunks a stage (Lamy-Poirier, 2023)";

    public bool Interleaves => true;

    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        for (int chunk = 0; chunk < shape.Chunks; chunk++)
            for (int m = 0; m < shape.Microbatches; m++)
                yield return new Slot(Pass.Forward, m, chunk);
        for (int chunk = shape.Chunks - 1; chunk >= 0; chunk--)
            for (int m = 0; m < shape.Microbatches; m++)
                yield return new Slot(Pass.Backward, m, chunk);
    }

    /// <summary>(p − 1) / (v · m + p − 1) where m is at least p: passes are v times shorter than GPipe's.</summary>
    public double BubbleOf(PipelineShape shape, PassTimes times) =>
        (shape.Stages - 1.0) / ((double)shape.Chunks * shape.Microbatches + shape.Stages - 1);
}
