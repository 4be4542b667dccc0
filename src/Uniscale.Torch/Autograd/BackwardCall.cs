using System.Runtime.ExceptionServices;

namespace Uniscale.Torch.Autograd;

/// <summary>What the nodes of a thread's backward passes share with it, whichever threads run them. They run one after another.</summary>
internal sealed class BackwardCall
{
    private readonly List<ThreadHandles> _rows = [];
    private ExceptionDispatchInfo? _failure;

    /// <summary>See <see cref="GraphFunction.Listener"/>; stays from one pass to the next.</summary>
    public Action<string, long, long>? Listener { get; set; }

    /// <summary>Whether a node has failed; those after it are passed over.</summary>
    public bool HasFailed => _failure is not null;

    /// <summary>A node's backward failed.</summary>
    public void Fail(Exception failure) => _failure ??= ExceptionDispatchInfo.Capture(failure);

    /// <summary>The calling thread's row of results, which <see cref="End"/> frees.</summary>
    public ThreadHandles Results()
    {
        var row = ThreadHandles.OfThisThread;
        if (!_rows.Contains(row))
            _rows.Add(row);
        return row;
    }

    public void ThrowFailure() => _failure?.Throw();

    /// <summary>Forgets the failure and frees what nodes gave back, of which libtorch has its own by now.</summary>
    public void End()
    {
        _failure = null;
        foreach (var row in _rows)
            row.FreeResults();
        _rows.Clear();
    }
}
