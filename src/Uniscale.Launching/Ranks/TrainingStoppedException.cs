namespace Uniscale.Launching.Ranks;

/// <summary>A run ended itself as its configuration asks, with a sentence that says why; it can be resumed.</summary>
public sealed class TrainingStoppedException : Exception
{
    /// <inheritdoc/>
    public TrainingStoppedException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public TrainingStoppedException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public TrainingStoppedException() { }
}
