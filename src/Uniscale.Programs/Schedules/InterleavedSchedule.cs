namespace Uniscale.Programs.Schedules;

/// <summary>
/// 1F1B over several chunks a stage (Narayanan et al., 2021). Chunk c of stage s is virtual stage c · p + s. Microbatches go in groups
/// of p: the group passes the first chunk, then the second, and so on, backward in reverse. A pass is v times shorter, and so is the
/// bubble;
/// v times as many tensors travel between stages, and a few more chunks are alive. Where p does not divide the microbatches, groups are
/// larger
/// than p by what is left over, never smaller: stages in a group smaller than p would wait for each other.
/// </summary>
public sealed class InterleavedSchedule : ISchedule
{
    /// <inheritdoc/>
    public string Name => "interleaved-1f1b";

    /// <inheritdoc/>
    public string Summary => "1F1B over several chunks a stage; the bubble is divided by their number (Narayanan et al., 2021)";

    /// <inheritdoc/>
    public bool Interleaves => true;

    /// <inheritdoc/>
    public IEnumerable<Slot> SlotsOf(PipelineShape shape, int stage)
    {
        var forward = Order(shape, Pass.Forward);
        var backward = Order(shape, Pass.Backward);
        int warmup = Math.Min(WarmupOf(shape, stage), forward.Length);
        for (int i = 0; i < warmup; i++)
            yield return forward[i];
        for (int i = 0; i < backward.Length; i++)
        {
            if (i + warmup < forward.Length)
                yield return forward[i + warmup];
            yield return backward[i];
        }
    }

    /// <summary>
    /// (p − 1) / (v · m + p − 1) where m is at least p: the bubble of Narayanan et al., 2021, (p − 1) / (v · m) of the work, as a share of
    /// the step.
    /// </summary>
    public double BubbleOf(PipelineShape shape, PassTimes times) =>
        (shape.Stages - 1.0) / ((double)shape.Chunks * shape.Microbatches + shape.Stages - 1);

    /// <summary>Passes in front of the first backward: those of the other chunks of a group, and two for each stage above.</summary>
    private static int WarmupOf(PipelineShape shape, int stage)
    {
        int above = shape.Stages - 1 - stage;
        return shape.Chunks == 1 ? above : (shape.Chunks - 1) * GroupsOf(shape)[0] + 2 * above;
    }

    private static Slot[] Order(PipelineShape shape, Pass pass)
    {
        var order = new List<Slot>(shape.Chunks * shape.Microbatches);
        int first = 0;
        foreach (int size in GroupsOf(shape))
        {
            for (int i = 0; i < shape.Chunks; i++)
                for (int m = first; m < first + size; m++)
                    order.Add(new Slot(pass, m, pass == Pass.Forward ? i : shape.Chunks - 1 - i));
            first += size;
        }
        return [.. order];
    }

    /// <summary>Sizes of the groups, largest first: as many as there are whole p, what is left over spread over them.</summary>
    private static int[] GroupsOf(PipelineShape shape)
    {
        int count = Math.Max(1, shape.Microbatches / shape.Stages);
        var (size, larger) = Math.DivRem(shape.Microbatches, count);
        return Enumerable.Range(0, count).Select(group => group < larger ? size + 1 : size).ToArray();
    }
}
