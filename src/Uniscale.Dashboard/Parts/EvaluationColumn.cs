using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Parts;

/// <summary>A column of a table of scores.</summary>
/// <param name="Title">The evaluation, or the run.</param>
/// <param name="Result">Its scores.</param>
/// <param name="Link">Where its title leads; null: nowhere.</param>
public sealed record EvaluationColumn(string Title, EvaluationResult Result, string? Link = null);
