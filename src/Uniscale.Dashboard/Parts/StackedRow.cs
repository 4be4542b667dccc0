namespace Uniscale.Dashboard.Parts;

/// <summary>A row of parts that add up.</summary>
/// <param name="Name">What it is of.</param>
/// <param name="Parts">Its parts by name.</param>
public sealed record StackedRow(string Name, IReadOnlyList<(string Name, double Value)> Parts);
