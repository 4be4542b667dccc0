namespace Uniscale.Collectives.Nccl;

/// <summary>NCCL or the CUDA runtime cannot be used here: missing, too old, or too few devices. One sentence with what to do.</summary>
public sealed class NcclException : Exception
{
    /// <inheritdoc/>
    public NcclException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public NcclException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public NcclException() { }
}
