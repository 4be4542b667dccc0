// uniscale-fuzz SECONDS FOLDER [TARGET ...]: the time is divided among the targets. Exit code 1 where anything was found.
using Uniscale.Fuzz;

double seconds = double.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture);
FuzzTarget[] targets = [.. FuzzTargets.All.Where(target => args.Length < 3 || args.Skip(2).Contains(target.Name))];
int seed = (int)(DateTime.UtcNow.Ticks / TimeSpan.TicksPerSecond),
    findings = 0;
Console.WriteLine($"seed {seed}");
foreach (var target in targets)
{
    var result = new FuzzRun(target, args[1], seed).Run(TimeSpan.FromSeconds(seconds / targets.Length));
    Console.WriteLine(
        $"{result.Target,-16}{result.Executions,12} executions{result.Refused,12} refused{result.Findings.Count,6} findings"
    );
    foreach (string finding in result.Findings)
        Console.WriteLine($"  {finding}");
    findings += result.Findings.Count;
}
return targets.Length == 0 ? 2
    : findings > 0 ? 1
    : 0;
