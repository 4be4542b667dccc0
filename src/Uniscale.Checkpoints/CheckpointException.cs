namespace Uniscale.Checkpoints;

/// <summary>A checkpoint could not be saved or loaded; the message is one sentence for the user.</summary>
public class CheckpointException : Exception
{
    /// <inheritdoc/>
    public CheckpointException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public CheckpointException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public CheckpointException() { }
}

/// <summary>What lies on disk is not what was written; an older checkpoint may still be good.</summary>
public sealed class CheckpointDamagedException : CheckpointException
{
    /// <inheritdoc/>
    public CheckpointDamagedException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public CheckpointDamagedException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public CheckpointDamagedException() { }
}

/// <summary>The checkpoint is whole, but it is not one of this model: a tensor is missing or has another shape or type.</summary>
public sealed class CheckpointMismatchException : CheckpointException
{
    /// <summary>The configuration that the checkpoint was saved with, where it is known.</summary>
    public string? ConfigurationYaml { get; init; }

    /// <inheritdoc/>
    public CheckpointMismatchException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public CheckpointMismatchException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public CheckpointMismatchException() { }
}
