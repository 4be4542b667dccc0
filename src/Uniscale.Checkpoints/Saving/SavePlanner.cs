using System.Text;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// Finds what a rank writes, and on rank 0 what all ranks write together; both are kept from save to save while slices stay the same.
/// </summary>
internal sealed class SavePlanner(IProcessGroup group, CheckpointOptions options, Func<NodePlaces> places)
{
    private SavePlan? _plan;
    private NodePlaces? _places;
    private ShardImage? _image;
    private WorldPlan? _world;

    /// <summary>Who shares a host.</summary>
    public NodePlaces Places => _places!;

    /// <summary>What this rank writes.</summary>
    public ShardImage Image => _image!;

    /// <summary>What all ranks write; on rank 0 alone.</summary>
    public WorldPlan World => _world!;

    /// <summary>Finds the plan; collective.</summary>
    /// <exception cref="CheckpointException">The ranks do not hold every tensor once; the same on all of them.</exception>
    public void Find(IReadOnlyList<StateSlice> slices, IReadOnlyList<StateTensor>? tensors)
    {
        // Ranks whose slices are the same as at the last save need not tell them again.
        bool isKnown = _plan?.Fits(slices, tensors) == true;
        if (GroupExchange.Max(group, isKnown ? 0 : 1) == 0)
            return;
        _places ??= places();
        string problem = "";
        _plan = Tried(() => SavePlan.Make(slices, tensors, group.Rank), ref problem);
        // The others of the host wait for this rank, whatever became of its plan.
        _image = Tried(() => ImageOf(_plan?.Content ?? new ShardContent([])), ref problem);
        // The first byte says whether a summary or a sentence follows.
        byte[] told = problem.Length == 0 ? [1, .. ShardSummary.Of(_plan!, _image!).ToBytes()] : [0, .. Encoding.UTF8.GetBytes(problem)];
        problem = GroupExchange.Broadcast(group, GroupExchange.Gather(group, told) is { } all ? PutTogether(all) : "");
        if (problem.Length == 0)
            return;
        _plan = null;
        throw new CheckpointException(problem);
    }

    private static T? Tried<T>(Func<T> body, ref string problem)
        where T : class
    {
        try
        {
            return body();
        }
        catch (CheckpointException failure)
        {
            if (problem.Length == 0)
                problem = failure.Message;
            return null;
        }
    }

    private ShardImage ImageOf(ShardContent content) =>
        options.Files == FileGrouping.Node ? NodeFile.Agree(group, Places, content) : ShardImage.OfRank(group.Rank, content);

    // Rank 0: what keeps the ranks' plans from making up all tensors; empty: nothing.
    private string PutTogether(byte[][] told)
    {
        if (told.FirstOrDefault(word => word[0] == 0) is { } sentence)
            return Encoding.UTF8.GetString(sentence.AsSpan(1));
        string problem = "";
        _world = Tried(() => WorldPlan.Make(_plan!.Tensors, [.. told.Select(word => ShardSummary.Read(word[1..]))]), ref problem);
        return problem;
    }
}
