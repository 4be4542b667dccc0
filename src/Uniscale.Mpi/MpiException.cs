namespace Uniscale.Mpi;

/// <summary>MPI reported an error, or cannot be used; the message names rank, operation and size.</summary>
public sealed class MpiException : Exception
{
    public MpiException(string message) : base(message) { }

    public MpiException(string message, Exception inner) : base(message, inner) { }

    public MpiException() { }
}
