namespace Uniscale.Configuration;

/// <summary>The fonts that pictures need.</summary>
public static class PictureFonts
{
    /// <summary>The one place where ScottPlot looks for fonts on Linux.</summary>
    private const string Folder = "/usr/share/fonts";

    /// <summary>Refuses to go on without a font: ScottPlot would draw pictures without letters and say nothing.</summary>
    /// <exception cref="UserErrorException">This machine has no font.</exception>
    public static void Require()
    {
        if (
            OperatingSystem.IsLinux()
            && !(Directory.Exists(Folder) && Directory.EnumerateFiles(Folder, "*.tt?", SearchOption.AllDirectories).Any())
        )
            throw new UserErrorException("Pictures need a font, and this machine has none: install fonts-dejavu-core.");
    }
}
