# fish completion of aedbfs.

# The list after -o: what stands before its last item is kept.
function __aedbfs_mount_options
	set -l before (string match -r '^.*,' -- (commandline -ct | string replace -r '^-o' ''))
	for option in config= profile=production profile=development \
		profile=low_latency profile=default \
		recovery=strict recovery=permissive ro rw create durability=batch durability=full durability=os \
		sync_interval= memory= key_bytes_max= \
		checkpoint_log= checkpoint_ops= checkpoint_interval= \
		compaction_rate= log_keep= backup_log= history= queue_commits_max= queue_bytes_max= commit_timeout= batches_max= batch_age= backup_dir= key_file= allow_other allow_root uid= gid= \
		umask= fmask= dmask= noxattr secure noexec noatime \
		sync dirsync remount nofail noauto _netdev \
		user users x-systemd.automount
		echo $before$option
	end
end

complete -c aedbfs -s f -d 'Stay in the foreground'
complete -c aedbfs -l config -r -d 'Options from a file'
complete -c aedbfs -s o -x -a '(__aedbfs_mount_options)' -d 'Options of the mount'
complete -c aedbfs -s h -l help -d 'Print a summary'
complete -c aedbfs -s V -l version -d 'Print the version'
