namespace Uniscale.Training.Faults;

/// <summary>A failure that the configuration asked for.</summary>
public sealed class InjectedFaultException : Exception
{
    /// <inheritdoc/>
    public InjectedFaultException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public InjectedFaultException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public InjectedFaultException() { }
}
