using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Needles;

namespace Uniscale.Evaluation.Results;

/// <summary>What an evaluation was made of.</summary>
/// <param name="Exams">Exams that were held.</param>
/// <param name="Perplexity">Plain text that was measured; null: none.</param>
/// <param name="Needles">The needle test; null: none.</param>
public sealed record Evaluated(IReadOnlyList<ExamResult> Exams, Perplexity? Perplexity = null, NeedleReport? Needles = null);
