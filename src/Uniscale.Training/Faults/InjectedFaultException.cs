namespace Uniscale.Training.Faults;

/// <summary>A failure that the configuration asked for.</summary>
public sealed class InjectedFaultException : Exception
{
    public InjectedFaultException(string message) : base(message) { }

    public InjectedFaultException(string message, Exception inner) : base(message, inner) { }

    public InjectedFaultException() { }
}
