using System.Text.Json;
using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Parts.Reports;

/// <summary>A planned layout in words.</summary>
internal static class LayoutText
{
    private static readonly (string Field, string Word)[] Words =
    [
        ("ranks", "ranks "),
        ("tensor", "tp"),
        ("pipeline", "pp"),
        ("chunks", "chunks "),
        ("context", "cp"),
        ("data", "dp"),
        ("zero_stage", "zero"),
        ("microbatches", "microbatches "),
        ("microbatch_size", "of "),
        ("recompute", "recompute "),
    ];

    /// <summary>The layout of a plan's JSON.</summary>
    public static string Of(JsonElement layout) =>
        string.Join(
            ' ',
            Words.Select(word => layout.Text(word.Field) is { } value ? word.Word + value : "").Where(word => word.Length > 0)
        );
}
