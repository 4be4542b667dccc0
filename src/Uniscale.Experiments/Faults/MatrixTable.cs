using System.Text;

namespace Uniscale.Experiments.Faults;

/// <summary>The matrix as people read it.</summary>
public static class MatrixTable
{
    /// <summary>One row a case, one column a layout, in Markdown.</summary>
    public static string Write(IReadOnlyList<CellResult> results)
    {
        string[] layouts = [.. results.Select(cell => cell.Layout).Distinct()];
        string[] cases = [.. results.Select(cell => cell.Case).Distinct()];
        string[][] rows =
        [
            ["fault", .. layouts],
            .. cases.Select(name =>
                (string[])
                    [
                        name,
                        .. layouts.Select(layout =>
                            results.FirstOrDefault(cell => cell.Case == name && cell.Layout == layout)?.InShort() ?? ""
                        ),
                    ]
            ),
        ];
        int[] widths = [.. Enumerable.Range(0, layouts.Length + 1).Select(column => rows.Max(row => row[column].Length))];
        var text = new StringBuilder();
        for (int row = 0; row < rows.Length; row++)
        {
            text.AppendLine($"| {string.Join(" | ", rows[row].Zip(widths, (cell, width) => cell.PadRight(width)))} |");
            if (row == 0)
                text.AppendLine($"|{string.Join("|", widths.Select(width => new string('-', width + 2)))}|");
        }
        return text.ToString();
    }
}
