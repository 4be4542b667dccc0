namespace Uniscale.Telemetry;

/// <summary>Whether a run goes on, as its files say.</summary>
public enum RunState
{
    /// <summary>Ranks live and move.</summary>
    Running,

    /// <summary>Ranks live and have not moved for a minute.</summary>
    Standing,

    /// <summary>All steps are done.</summary>
    Finished,

    /// <summary>It was asked to stop, and can be resumed.</summary>
    Stopped,

    /// <summary>Its supervisor gave up.</summary>
    Failed,

    /// <summary>It ended without a word.</summary>
    Gone,

    /// <summary>It has told nothing yet.</summary>
    Unknown,
}
