namespace Uniscale.Collectives.InProcess;

/// <summary>A collective that waits for its members.</summary>
internal sealed class Rendezvous(InProcessOperation operation, int size)
{
    private readonly CommBuffer[] _inputs = new CommBuffer[size];
    private readonly CommBuffer[] _outputs = new CommBuffer[size];
    private InProcessWork? _first;
    private int _joinedCount;
    private bool _isBroken;

    public InProcessOperation Operation { get; } = operation;

    /// <summary>True when every member has posted the same.</summary>
    public bool IsComplete => _joinedCount == _inputs.Length && !_isBroken;

    /// <summary>Adds a member's buffers.</summary>
    /// <returns>What is wrong when the member's operation is not that of the first; null if it is.</returns>
    public string? Join(int member, InProcessWork work, CommBuffer input, CommBuffer output, GroupState group, long sequence)
    {
        _first ??= work;
        Operation.Works.Add(work);
        (_inputs[member], _outputs[member]) = (input, output);
        _joinedCount++;
        if (_first.Signature == work.Signature)
            return null;
        _isBroken = true;
        return $"ranks disagree at operation {sequence} of group {group.Name}: rank {_first.WorldRank} posted {_first.Signature}, "
            + $"rank {work.WorldRank} posted {work.Signature}";
    }

    public UnitPlan Plan() => UnitPlan.Collective(_first!.Signature, _inputs, _outputs);
}
