namespace Uniscale.Mpi;

/// <summary>MPI reported an error, or cannot be used; the message names rank, operation and size.</summary>
public sealed class MpiException : Exception
{
    /// <inheritdoc/>
    public MpiException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public MpiException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public MpiException() { }
}
