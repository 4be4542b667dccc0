namespace Uniscale.Launching.Ranks;

/// <summary>
/// The preflight has found nodes that are not to train. A supervisor leaves their hosts out, where the others have room for the job.
/// </summary>
public sealed class NodeRefusedException : Exception
{
    /// <inheritdoc/>
    public NodeRefusedException(string message, IReadOnlyList<string> hosts)
        : base(message) => Hosts = hosts;

    /// <inheritdoc/>
    public NodeRefusedException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public NodeRefusedException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public NodeRefusedException() { }

    /// <summary>Hosts that are at fault.</summary>
    public IReadOnlyList<string> Hosts { get; } = [];
}
