using System.Globalization;

namespace Uniscale.Telemetry;

/// <summary>Figures for people's eyes, always in the invariant culture.</summary>
public static class Units
{
    /// <summary>1234567 as 1.23M; below 1000 as it is.</summary>
    public static string Count(double value) => Scaled(value, 1000, ["", "K", "M", "B", "T"]);

    /// <summary>Bytes in powers of 1024.</summary>
    public static string Bytes(double value) => Scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);

    /// <summary>Operations a second.</summary>
    public static string Flops(double value) =>
        Scaled(value, 1000, [" FLOP/s", " KFLOP/s", " MFLOP/s", " GFLOP/s", " TFLOP/s", " PFLOP/s"]);

    /// <summary>A share of the peak, or n/a.</summary>
    public static string Mfu(double? share) =>
        share is { } known ? (known * 100).ToString("F1", CultureInfo.InvariantCulture) + "%" : "n/a";

    /// <summary>A duration as its two largest units: 3d04h, 2h05m, 3m12s, 9s.</summary>
    public static string Duration(TimeSpan duration) =>
        duration switch
        {
            { TotalDays: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)duration.TotalDays}d{duration.Hours:00}h"),
            { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Hours}h{duration.Minutes:00}m"),
            { TotalMinutes: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Minutes}m{duration.Seconds:00}s"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{duration.Seconds}s"),
        };

    /// <summary>Figures by name in one line, e.g. <c>code 1.2345 · docs 2.3456</c>.</summary>
    public static string Named<T>(IReadOnlyDictionary<string, T> figures, Func<T, string> written) =>
        string.Join(" · ", figures.Select(figure => $"{figure.Key} {written(figure.Value)}"));

    private static string Scaled(double value, double unit, string[] suffixes)
    {
        int index = 0;
        while (Math.Abs(value) >= unit && index < suffixes.Length - 1)
        {
            value /= unit;
            index++;
        }
        string digits =
            index == 0 || Math.Abs(value) >= 100 ? "F0"
            : Math.Abs(value) >= 10 ? "F1"
            : "F2";
        return value.ToString(digits, CultureInfo.InvariantCulture) + suffixes[index];
    }
}
