namespace Uniscale.Programs;

/// <summary>How a replica's share of a step is cut into microbatches.</summary>
/// <param name="Size">Sequences of a microbatch.</param>
/// <param name="Count">Microbatches of the step.</param>
internal readonly record struct Microbatching(int Size, int Count)
{
    /// <summary>
    /// Microbatches a stage that a pipeline gets at least where <c>batch.micro</c> is left to us: the bubble is then below a fifth.
    /// </summary>
    private const int PerStage = 4;

    /// <summary>The cut of a share.</summary>
    /// <param name="share">Sequences of the replica, a multiple of <paramref name="micro"/>.</param>
    /// <param name="micro">Sequences of a microbatch; 0: the most that divides the share and leaves a pipeline enough microbatches.</param>
    /// <param name="stages">Stages of the pipeline.</param>
    public static Microbatching Of(int share, int micro, int stages)
    {
        int size = micro > 0 ? micro : LargestSize(share, stages);
        return new Microbatching(size, share / size);
    }

    private static int LargestSize(int share, int stages)
    {
        int count = stages == 1 ? 1 : Math.Min(share, PerStage * stages);
        while (share % count != 0)
            count++;
        return share / count;
    }
}
