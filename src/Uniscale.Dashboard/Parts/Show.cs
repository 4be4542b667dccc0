using System.Globalization;
using Uniscale.Telemetry;

namespace Uniscale.Dashboard.Parts;

/// <summary>Figures as pages show them. What is not known is a dash; what is no number says so.</summary>
public static class Show
{
    /// <summary>For what is not known.</summary>
    public const string Nothing = "–";

    /// <summary>A loss or norm, which is known even where it is NaN.</summary>
    public static string Odd(double? value, string format = "F4") =>
        value is not { } known ? Nothing
        : double.IsNaN(known) ? "NaN"
        : double.IsInfinity(known) ? (known > 0 ? "infinite" : "-infinite")
        : known.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>A number, or a dash for NaN.</summary>
    public static string Number(double value, string format) =>
        double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : Nothing;

    /// <summary>A whole number with its thousands apart.</summary>
    public static string Whole(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A share as per cent.</summary>
    public static string Share(double value) =>
        double.IsFinite(value) ? (value * 100).ToString("F1", CultureInfo.InvariantCulture) + "%" : Nothing;

    /// <summary>Bytes.</summary>
    public static string Bytes(double value) => double.IsFinite(value) ? Units.Bytes(value) : Nothing;

    /// <summary>A count such as 1.23M.</summary>
    public static string Count(double value) => double.IsFinite(value) && value > 0 ? Units.Count(value) : Nothing;

    /// <summary>Seconds as a duration.</summary>
    public static string Seconds(double value) =>
        double.IsFinite(value) && Math.Abs(value) < 1e10 ? Units.Duration(TimeSpan.FromSeconds(value)) : Nothing;

    /// <summary>A moment of the world's clock.</summary>
    public static string Time(DateTimeOffset? time) =>
        time is { } known && known != default
            ? known.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture)
            : Nothing;

    /// <summary>How a state is drawn.</summary>
    public static string ClassOf(RunState state) =>
        state switch
        {
            RunState.Running or RunState.Finished => "good",
            RunState.Failed or RunState.Gone => "bad",
            RunState.Standing => "warn",
            _ => "soft",
        };

    /// <summary>How a number is drawn that should be finite.</summary>
    public static string ClassOf(double? value) => value is { } known && !double.IsFinite(known) ? "bad" : "";

    /// <summary>How a remark is drawn.</summary>
    public static string ClassOf(string level) =>
        level switch
        {
            "error" => "bad",
            "warning" => "warn",
            _ => "",
        };
}
