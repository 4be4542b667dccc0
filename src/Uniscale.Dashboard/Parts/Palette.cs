namespace Uniscale.Dashboard.Parts;

/// <summary>Colours of things that are drawn beside each other.</summary>
public static class Palette
{
    private static readonly string[] Lights =
    [
        "#8fbce6",
        "#f0bf8b",
        "#a3d9b5",
        "#e5b0cb",
        "#c9b8e8",
        "#e2d083",
        "#8fd3dd",
        "#eaa58e",
        "#b9c4d2",
        "#d7e3a1",
    ];

    /// <summary>A light colour, on which dark letters can be read in both schemes.</summary>
    public static string Light(int index) => Lights[index % Lights.Length];
}
