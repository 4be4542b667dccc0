using Uniscale.Cli;
using Uniscale.Launching.Rendezvous;

// mpirun calls it as it would ssh, with words that are no options of ours.
return args is [RemoteShell.Command, .. var words] ? RemoteShell.Run(words) : Shell.Run(args, Console.Out, Console.Error);
