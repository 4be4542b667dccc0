namespace Uniscale.Planning.Published;

/// <summary>A published measurement of one layout on hardware that is not here.</summary>
/// <param name="Table">Publication and table.</param>
/// <param name="Name">Row.</param>
/// <param name="Cluster">Cluster file that stands for its hardware.</param>
/// <param name="Stack">Stack in it that stands for its software.</param>
/// <param name="Spec">The layout.</param>
/// <param name="Seconds">Seconds of a step, as published or by the publication's own formula.</param>
/// <param name="IsFitted">Whether the stack's constants were fitted on it; the others are held out.</param>
/// <param name="Note">What the publication leaves open and how it was chosen here; empty: nothing.</param>
public sealed record PublishedRow(
    string Table,
    string Name,
    string Cluster,
    string Stack,
    StepSpecification Spec,
    double Seconds,
    bool IsFitted,
    string Note = ""
)
{
    /// <summary>
    /// Layouts that the publication may mean, where it leaves something open; the planner's fastest is taken. Empty: <see cref="Spec"/>
    /// alone.
    /// </summary>
    public IReadOnlyList<StepSpecification> Alternatives { get; init; } = [];
}
