using Uniscale.Collectives.Journal;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>
/// An operation that the communication thread carries out in steps: each step names the request that it waits for next.
/// </summary>
internal sealed class MpiOperation(
    MpiGroup group,
    OperationSignature signature,
    long sequence,
    IEnumerable<MpiRequest> steps,
    CollectiveJournal journal
) : IWork
{
    private readonly long _number = journal.Post(group.Name, sequence, signature);
    private readonly EndSignal _end = new();
    private IEnumerator<MpiRequest>? _steps;
    private MpiRequest? _waitingFor;
    private string? _failure;

    /// <summary>The group whose turn ends with this operation.</summary>
    public MpiGroup Group { get; } = group;

    /// <summary>Messages overlap; collectives of a group take turns.</summary>
    public bool IsMessage => signature.IsMessage;

    public bool IsCompleted => _end.IsSet;

    public void Wait()
    {
        _end.Wait();
        if (_failure is not null)
            throw new CollectiveException(
                $"rank {Group.WorldRanks[Group.Rank]}: {signature}, operation {sequence} of group {Group.Name}, failed: {_failure}"
            );
    }

    /// <summary>Goes as far as it can; true at the end. Called by the communication thread only.</summary>
    public bool Advance()
    {
        if (_steps is null)
        {
            journal.Mark(_number, OperationState.Started);
            _steps = steps.GetEnumerator();
        }
        while (_waitingFor is null || _waitingFor.Test())
        {
            if (_steps.MoveNext())
            {
                _waitingFor = _steps.Current;
                continue;
            }
            _steps.Dispose();
            journal.Mark(_number, OperationState.Completed);
            _end.Set();
            return true;
        }
        return false;
    }

    /// <summary>Ends the operation without a result.</summary>
    public void Fail(string reason)
    {
        _failure = reason;
        journal.Mark(_number, OperationState.Failed);
        _end.Set();
    }
}
